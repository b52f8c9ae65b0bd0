"""Fixtures: one clock, one installation, one server; and no run that hangs."""

import faulthandler
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from outlay.bootstrap import open_installation
from outlay.kit.clock import FixedClock
from outlay.services.bundle import Services
from outlay.settings import Settings
from outlay.storage.directory.digests import covered_tables
from tests.factories import NOW
from tests.postgres import Cluster, running_postgres
from tests.program import ending_programs

# Tests that read nothing of a server's standard error would fill its pipe with access lines.
os.environ.setdefault("OUTLAY_LOG", "warning")

settings.register_profile(
    "outlay", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("outlay")

EXIT_SECONDS = 300
"""For threads and processes to end once the tests have."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only long tests may take longer than `timeout` in pyproject.toml."""
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.timeout(0))


def pytest_unconfigure() -> None:
    """Fail, saying where each thread stands, when one of them keeps the process from ending."""
    faulthandler.dump_traceback_later(EXIT_SECONDS, exit=True)


@pytest.fixture(autouse=True)
def no_program_outlives_its_test() -> Iterator[None]:
    """End what a failed test has started."""
    with ending_programs():
        yield


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at NOW until a test moves it."""
    return FixedClock(NOW)


@pytest.fixture
def services(tmp_path: Path, clock: FixedClock) -> Iterator[Services]:
    """A new installation, opened by the test; nothing loads in the background."""
    with open_installation(Settings(data=tmp_path / "data"), clock) as opened:
        yield opened
        # Whatever a test has changed, each row has the digest that belongs to it.
        for table in covered_tables():
            assert opened.directory.faults(table) == []


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server, which stays up."""
    with running_postgres() as running:
        yield running


@pytest.fixture(scope="session")
def chdb(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Gives a new place for a cube, each time, in the ClickHouse of this process.

    The engine takes one folder per process.
    """
    folder, numbers = tmp_path_factory.mktemp("chdb"), itertools.count(1)
    return lambda: f"chdb://{folder}/cube{next(numbers)}"

"""Fixtures: one clock, one installation, one server."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from outlay.bootstrap import open_installation
from outlay.kit.clock import FixedClock
from outlay.services.bundle import Services
from outlay.settings import Settings
from tests.factories import NOW
from tests.postgres import Cluster, running_postgres

settings.register_profile(
    "outlay", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("outlay")


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at NOW until a test moves it."""
    return FixedClock(NOW)


@pytest.fixture
def services(tmp_path: Path, clock: FixedClock) -> Iterator[Services]:
    """A new installation, opened by the test; nothing loads in the background."""
    with open_installation(Settings(data=tmp_path / "data"), clock) as opened:
        yield opened


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

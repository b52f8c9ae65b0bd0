"""Fixtures: one clock, one installation, one server; and a guard against hanging runs."""

import faulthandler
import itertools
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from outlay.bootstrap.installation import open_installation
from outlay.services.bundle import Services
from outlay.settings import Settings
from outlay.storage.directory.digests import covered_tables
from tests.clocks import FixedClock
from tests.factories import NOW
from tests.postgres import Cluster, running_postgres
from tests.program import children_of, command_of, ending_programs
from tests.reaper import reaper
from tests.shared import copy_of

# Tests that do not read a server's standard error would fill its pipe with access log lines.
os.environ.setdefault("OUTLAY_LOG", "warning")

# Tests use plain HTTP. Clients of httpx would read the machine's certificates first, 15 ms each.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = os.devnull

settings.register_profile(
    "outlay", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("outlay")

EXIT_SECONDS = 300
"""Time for threads and processes to end after the tests."""


PAGES_FIRST = (
    "test_every_page",
    "test_whole_flow",
    "test_many",
    "test_imported_usage",
    "test_settings",
)
"""Files of tests/e2e in the order of parallel runs.

The longest come first, so that no process ends long after the others. While one of them generates
the demo's data, the others have files that do without.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order page tests; only long tests may take longer than `timeout` in pyproject.toml."""
    items.sort(key=_place_of)  # those of equal rank keep their order
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.timeout(0))


def _place_of(item: pytest.Item) -> int:
    if item.path.parent.name != "e2e":
        return 0
    if item.path.stem in PAGES_FIRST:
        return 1 + PAGES_FIRST.index(item.path.stem)
    return 1 + len(PAGES_FIRST)


def pytest_unconfigure() -> None:
    """Fail, with the stack of each thread, if one of them keeps the process from ending."""
    faulthandler.dump_traceback_later(EXIT_SECONDS, exit=True)


ENDING_SECONDS = 10
"""Time for threads and processes that are about to end."""


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    """Check that threads and processes started by a test run end with its fixtures."""
    earlier = {*threading.enumerate()}
    known = {*children_of(os.getpid()), reaper().pid}
    yield
    deadline = time.monotonic() + ENDING_SECONDS
    while (left := _left_running(earlier, known)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def _left_running(earlier: set[threading.Thread], known: set[int]) -> list[str]:
    threads = [each for each in threading.enumerate() if not each.daemon and each not in earlier]
    processes = [pid for pid in children_of(os.getpid()) if pid not in known]
    return [*map(repr, threads), *(f"{pid}: {command_of(pid)}" for pid in processes)]


@pytest.fixture(autouse=True)
def no_program_outlives_its_test() -> Iterator[None]:
    """Kill programs that a failed test has started."""
    with ending_programs():
        yield


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stays at NOW until a test moves it."""
    return FixedClock(NOW)


@pytest.fixture(scope="session")
def empty_installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unused data folder."""

    def build(folder: Path) -> None:
        with open_installation(Settings(data=folder), FixedClock(NOW)):
            pass

    return copy_of(tmp_path_factory, "installation", build)


@pytest.fixture
def services(tmp_path: Path, empty_installation: Path, clock: FixedClock) -> Iterator[Services]:
    """A new installation, opened by the test; nothing loads in the background."""
    data = shutil.copytree(empty_installation, tmp_path / "data")
    with open_installation(Settings(data=data), clock) as opened:
        yield opened
        # Whatever a test has changed, each row must match its digest.
        for table in covered_tables():
            assert opened.directory.faults(table) == []


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server that stays up."""
    with running_postgres() as running:
        yield running


@pytest.fixture(scope="session")
def chdb(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """A function that returns a new location for a cube in the ClickHouse of this process.

    The engine allows one folder per process.
    """
    folder, numbers = tmp_path_factory.mktemp("chdb"), itertools.count(1)
    return lambda: f"chdb://{folder}/cube{next(numbers)}"

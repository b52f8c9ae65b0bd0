"""Reading the ledger on SQLite: a fixed number of connections, whoever queries and gives up."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pysqlite3
import pytest
from tests.backdoor import reading_of
from tests.clocks import FixedClock
from tests.factories import NOW, make_event

from outlay.domain.errors import Unavailable
from outlay.domain.ids import OrganizationId
from outlay.kit.clock import to_us
from outlay.storage.ledger.sqlite import reading as reading_module
from outlay.storage.ledger.sqlite.reading import READERS
from outlay.storage.ledger.sqlite.store import SqliteLedger

EVER = (0, to_us(NOW) + 10**12)


@pytest.fixture
def ledger(tmp_path: Path, clock: FixedClock) -> Iterator[SqliteLedger]:
    opened = SqliteLedger(tmp_path / "ledger.sqlite3", clock)
    for number in range(4):
        opened.append([make_event(event_id=f"{number}-{index}") for index in range(5)])
    yield opened
    opened.close()


def open_files() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a listing of descriptors


def ids(ledger: SqliteLedger) -> list[str]:
    """The ids of all events, as a window of the log reads them."""
    rows = ledger.read_window(OrganizationId("org_test"), *EVER, ledger.last_seq)
    return [row[3] for row in rows]


def test_short_lived_threads_leave_no_open_files(ledger: SqliteLedger) -> None:
    ids(ledger)
    before = open_files()
    for _ in range(20):
        with ThreadPoolExecutor(6) as pool:  # with new threads each time
            found = list(pool.map(lambda _: len(ids(ledger)), range(12)))
        assert found == [20] * 12
    assert open_files() <= before


def test_abandoned_reader_is_released(ledger: SqliteLedger) -> None:
    for _ in range(3 * READERS):
        batches = ledger.read_batches(0)
        next(batches)
        del batches

    assert len(ids(ledger)) == 20


def test_error_releases_its_reader(ledger: SqliteLedger) -> None:
    def fail() -> None:
        with ledger.snapshot():
            raise ZeroDivisionError

    for _ in range(3 * READERS):
        with pytest.raises(ZeroDivisionError):
            fail()

    assert len(ids(ledger)) == 20


def test_queries_beyond_the_pool_wait_and_are_finally_refused(
    ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_module, "WAIT_SECONDS", 0.05)
    with ExitStack() as stack:
        for _ in range(READERS):
            stack.enter_context(ledger.snapshot())
        with pytest.raises(Unavailable, match="Too many ledger queries"):
            ids(ledger)

    assert len(ids(ledger)) == 20


def test_waiting_query_runs_when_a_connection_is_free(ledger: SqliteLedger) -> None:
    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.append(len(ids(ledger))), daemon=True)
    with ExitStack() as held:
        for _ in range(READERS - 1):
            held.enter_context(ledger.snapshot())
        with ledger.snapshot():
            waiting.start()
            waiting.join(0.1)
            assert answers == []
        waiting.join(20)
        assert answers == [20]


def test_event_loop_is_never_blocked(ledger: SqliteLedger) -> None:
    async def ask() -> None:
        ids(ledger)

    with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="event loop"):
        pool.submit(asyncio.run, ask()).result()


def test_snapshot_excludes_later_commits(ledger: SqliteLedger) -> None:
    """A window ends at a sequence number, so that it matches a cube with that position."""
    through = ledger.last_seq
    ledger.append([make_event(event_id="later")])
    rows = ledger.read_window(OrganizationId("org_test"), *EVER, through)

    assert "later" not in [row[3] for row in rows]
    assert "later" in ids(ledger)
    assert list(ledger.read_window(OrganizationId("org_other"), *EVER, ledger.last_seq)) == []


def test_closed_readers_refuse(tmp_path: Path, clock: FixedClock) -> None:
    before = open_files()
    ledger = SqliteLedger(tmp_path / "other.sqlite3", clock)
    ledger.append([make_event()])
    ledger.close()

    assert open_files() == before


def test_closing_interrupts_running_queries(tmp_path: Path, clock: FixedClock) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3", clock)
    started = threading.Event()
    ended: list[str] = []

    def read() -> None:
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        try:
            with reading_of(ledger) as reader:
                started.set()
                reader.execute(endless + "SELECT count(*) FROM n").fetchone()
        except pysqlite3.OperationalError as error:
            ended.append(str(error))

    reading = threading.Thread(target=read)
    reading.start()
    started.wait()
    time.sleep(0.1)
    before = time.monotonic()
    ledger.close()
    reading.join(10)

    assert ended == ["interrupted"]
    assert time.monotonic() - before < 10
    with pytest.raises(Unavailable, match="closed"):
        ledger.read_last_seq()

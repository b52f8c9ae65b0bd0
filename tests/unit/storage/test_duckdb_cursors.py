"""A snapshot of the cube belongs to the thread that opened it, and is unusable after its end."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pytest

from outlay.storage.cube.duckdb.cursors import MAX_IDLE, Cursors, SnapshotCursor


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE number AS SELECT i FROM range(10) t(i)")
        yield connection


def test_other_threads_are_refused(database: duckdb.DuckDBPyConnection) -> None:
    with Cursors(database).snapshot() as cursor, ThreadPoolExecutor(1) as pool:
        cursor.execute("SELECT i FROM number ORDER BY i")
        for ask in (cursor.fetchone, cursor.fetchall, lambda: cursor.execute("SELECT 1")):
            with pytest.raises(RuntimeError, match="belongs to the thread"):
                pool.submit(ask).result()
        assert cursor.fetchone() == (0,)


def test_rows_cannot_be_fetched_after_the_snapshot(database: duckdb.DuckDBPyConnection) -> None:
    def rows() -> Iterator[object]:
        with cursors.snapshot() as cursor:
            waiting.append(cursor)
            cursor.execute("SELECT i FROM number")
            yield cursor.fetchone()

    cursors = Cursors(database)
    waiting: list[SnapshotCursor] = []
    assert list(rows()) == [(0,)]
    with pytest.raises(RuntimeError, match="has ended"):
        waiting[0].fetchone()


def test_concurrent_snapshots_have_separate_cursors(
    database: duckdb.DuckDBPyConnection,
) -> None:
    cursors = Cursors(database)
    with cursors.snapshot() as one, cursors.snapshot() as other:
        one.execute("SELECT i FROM number WHERE i < 5 ORDER BY i")
        other.execute("SELECT i FROM number WHERE i >= 5 ORDER BY i")
        assert [one.fetchone(), other.fetchone(), one.fetchone()] == [(0,), (5,), (1,)]


def test_idle_cursors_are_bounded_and_reused(database: duckdb.DuckDBPyConnection) -> None:
    cursors = Cursors(database)
    together = threading.Barrier(MAX_IDLE + 4)

    def ask() -> None:
        with cursors.snapshot() as cursor:
            together.wait(30)
            assert cursor.execute("SELECT count(*) FROM number").fetchone() == (10,)

    with ThreadPoolExecutor(MAX_IDLE + 4) as pool:
        for done in [pool.submit(ask) for _ in range(MAX_IDLE + 4)]:
            done.result()
    assert len(cursors._idle) == MAX_IDLE


def test_failed_snapshot_leaves_its_cursor_usable(
    database: duckdb.DuckDBPyConnection,
) -> None:
    cursors = Cursors(database)
    with pytest.raises(duckdb.Error), cursors.snapshot() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")
    with cursors.snapshot() as cursor:
        assert cursor.execute("SELECT count(*) FROM number").fetchone() == (10,)

"""Cursors of snapshots: each belongs to one snapshot and to the thread that opened it.

If two threads share a cursor, statements of one run in a transaction of the other, which causes
errors at best and wrong rows at worst. So a snapshot refuses calls after its end and calls from
another thread, for example from a generator that a server resumes in another thread.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import duckdb

MAX_IDLE: Final = 16
"""Cursors kept for later snapshots; there are as many as concurrent snapshots."""

Values = Sequence[object] | Mapping[str, object]


class SnapshotCursor:
    """A cursor for the lifetime of its snapshot."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor: duckdb.DuckDBPyConnection | None = cursor
        self._owner = threading.get_ident()

    def execute(self, text: str, values: Values | None = None) -> "SnapshotCursor":
        """Run a statement whose rows are fetched from this cursor."""
        self._mine().execute(text, values)
        return self

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row; None after the last one."""
        row: tuple[Any, ...] | None = self._mine().fetchone()
        return row

    def fetchmany(self, count: int) -> list[tuple[Any, ...]]:
        """Up to `count` more rows."""
        return self._mine().fetchmany(count)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The remaining rows."""
        return self._mine().fetchall()

    def end(self) -> None:
        """Refuse all further calls."""
        self._cursor = None

    def _mine(self) -> duckdb.DuckDBPyConnection:
        if self._cursor is None:
            raise RuntimeError("the snapshot of the cube has ended: use it inside its `with` block")
        if threading.get_ident() != self._owner:
            raise RuntimeError("a snapshot of the cube belongs to the thread that opened it")
        return self._cursor


class Cursors:
    """The cursors of a database; idle ones are kept. Thread-safe."""

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        self._database = database
        self._idle: list[duckdb.DuckDBPyConnection] = []

    @contextmanager
    def snapshot(self) -> Iterator[SnapshotCursor]:
        """A cursor in a read transaction, for this thread."""
        try:
            cursor = self._idle.pop()  # atomic, as is the append below
        except IndexError:
            cursor = self._database.cursor()
        mine = SnapshotCursor(cursor)
        is_over = False
        try:
            mine.execute("BEGIN TRANSACTION READ ONLY")
            yield mine
        finally:
            mine.end()
            try:
                cursor.execute("ROLLBACK")
                is_over = True
            finally:
                if is_over and len(self._idle) < MAX_IDLE:
                    self._idle.append(cursor)
                else:
                    cursor.close()

"""Nodes that share a database: advisory locks that go with the connection of whoever has them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Unavailable
from outlay.storage.postgres import PostgresDatabase

_TAKE: Final = "SELECT pg_try_advisory_lock(hashtext(%s))"


class PostgresNodes:
    """Who does what only one may do. Thread-safe."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._leader: psycopg.Connection[Any] | None = None
        self._lock = threading.Lock()

    def lead(self) -> bool:
        """Whether this node has the lock of whoever loads the shared cube."""
        with self._lock:
            try:
                if self._leader is None:
                    self._leader = self._take("load")
                if self._leader is not None:
                    self._leader.execute("SELECT 1")
            except (psycopg.Error, Unavailable):
                self._give_up()
            return self._leader is not None

    @contextmanager
    def alone(self, task: str) -> Iterator[None]:
        """Keep other nodes from the same task; Unavailable while one of them is at it."""
        connection = self._take(task)
        if connection is None:
            raise Unavailable(f"another node is at it: {task}", code=ErrorCode.BUSY)
        try:
            yield
        finally:
            connection.close()

    def close(self) -> None:
        """Give up what only one may have."""
        with self._lock:
            self._give_up()

    def _take(self, task: str) -> "psycopg.Connection[Any] | None":
        """A connection that has the lock of a task, None when another has it."""
        connection = self._database.connect()
        has_it = False
        try:
            has_it = connection.execute(_TAKE, (f"outlay {task}",)).fetchone() == (True,)
        finally:
            if not has_it:
                connection.close()
        return connection if has_it else None

    def _give_up(self) -> None:
        if self._leader is not None:
            self._leader.close()
            self._leader = None

"""Leader election with PostgreSQL advisory locks, which are released when their connection ends."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Unavailable
from outlay.storage.postgres import PostgresDatabase

_TAKE: Final = "SELECT pg_try_advisory_lock(hashtext(%s))"


class PostgresLeaderElection:
    """Leader election and exclusive tasks. Thread-safe."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._leader: psycopg.Connection[Any] | None = None
        self._lock = threading.Lock()

    def lead(self) -> bool:
        """Whether this node holds the lock for loading the shared cube."""
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
        """Run a task exclusively; Unavailable if another node is running it."""
        connection = self._take(task)
        if connection is None:
            raise Unavailable(
                f"Another node is already running this task: {task}.", code=ErrorCode.BUSY
            )
        try:
            yield
        finally:
            connection.close()

    def close(self) -> None:
        """Release leadership."""
        with self._lock:
            self._give_up()

    def _take(self, task: str) -> "psycopg.Connection[Any] | None":
        """A connection that holds the lock of a task, None if another has it."""
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

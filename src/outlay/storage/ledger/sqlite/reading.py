"""Reading the ledger in a SQLite file, with a pool of connections for all threads."""

import logging
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Unavailable
from outlay.kit.event_loop import refuse_on_event_loop
from outlay.storage.health import StorageHealth
from outlay.storage.ledger.connection import Connection, Lookup
from outlay.storage.ledger.reading import LedgerReader
from outlay.storage.row_level_security import EVERY_TENANT
from outlay.storage.sqlite import connect, translating_errors

logger = logging.getLogger(__name__)

READERS: Final = 8
"""Connections for reading; each takes two open files and a page cache of up to 8 MiB."""

CLOSE_SECONDS: Final = 2.0
"""How long an interrupted query has to return its connection."""

WAIT_SECONDS: Final = 30.0
"""How long a query waits for a connection before it is refused."""


class SqliteReading(LedgerReader):
    """Reads what is committed to one file. Thread-safe."""

    # The unary plus stops SQLite from preferring the index by time: few rows match the ids.
    _lookup = Lookup("usage_event", "+event_time_us")

    def __init__(self, path: Path, health: StorageHealth | None = None) -> None:
        """Read the ledger at `path`; call `open_readers` before the first query.

        `health` is shared with the writers of the file.
        """
        LedgerReader.__init__(self)
        self._path = path
        self._health = health or StorageHealth()
        self._readers: list[Any] = []
        # Last in, first out: the cache of the last used connection is warm.
        self._free: queue.LifoQueue[Any] = queue.LifoQueue()

    def open_readers(self) -> None:
        """Open all connections and the files behind them; the database must exist.

        Their number is fixed, regardless of threads, and none is opened later, when the process may
        be out of file descriptors.
        """
        with translating_errors(self._health):
            for _ in range(READERS):
                reader = connect(self._path, read_only=True)
                self._readers.append(reader)
                reader.execute("SELECT 1 FROM sqlite_schema").fetchone()
                self._free.put(reader)

    @override
    @contextmanager
    def _reading(self, tenant: str = EVERY_TENANT) -> Iterator[Connection]:
        """A connection of the pool, for the duration of the block."""
        refuse_on_event_loop("the ledger")
        try:
            reader = self._free.get(timeout=WAIT_SECONDS)
        except queue.Empty:
            raise Unavailable(
                "Too many ledger queries are running. Try again in a moment.",
                code=ErrorCode.OVERLOADED,
            ) from None
        if reader is None:
            self._free.put(None)  # wake the next waiting thread
            raise Unavailable("The ledger is closed.", code=ErrorCode.SHUTTING_DOWN)
        try:
            with translating_errors(self._health):
                yield reader
        finally:
            self._free.put(reader)

    @override
    @contextmanager
    def snapshot(self, tenant: str = EVERY_TENANT) -> Iterator[Connection]:
        """A read transaction: it sees what was committed before its first statement."""
        with self._reading(tenant) as reader:
            raw: Any = reader
            raw.execute("BEGIN")
            try:
                yield reader
            finally:
                if raw.in_transaction:  # some errors end the transaction
                    raw.execute("COMMIT")

    @override
    def _see_all(self, reader: Connection) -> None:
        """SQLite has no row-level security."""

    def close_readers(self) -> None:
        """Close all connections; running queries are interrupted.

        A connection still in use after a while stays open until the process ends: closing it while
        its thread reads would crash.
        """
        for reader in self._readers:
            reader.interrupt()
        for _ in self._readers:
            try:
                self._free.get(timeout=CLOSE_SECONDS).close()
            except queue.Empty:
                logger.warning("a ledger query did not end in time")
        self._readers = []
        self._free.put(None)

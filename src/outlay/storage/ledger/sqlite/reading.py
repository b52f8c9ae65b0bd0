"""Reading the ledger in a SQLite file, on connections that all threads share."""

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
from outlay.storage.ledger.reading import Connection, LedgerReader, Lookup
from outlay.storage.row_level_security import EVERY_TENANT
from outlay.storage.sqlite import connect, telling

logger = logging.getLogger(__name__)

READERS: Final = 8
"""Connections for reading; each is two open files and a page cache of up to 8 MiB."""

CLOSE_SECONDS: Final = 2.0
"""How long a question that was broken off has to give its connection back."""

WAIT_SECONDS: Final = 30.0
"""How long a question waits for a connection before it is refused."""


class SqliteReading(LedgerReader):
    """What has been committed to one file. Thread-safe."""

    # The sign keeps the index by time from being preferred: ids are what there are few of.
    _lookup = Lookup("usage_event", "+event_time_us")

    def __init__(self, path: Path, health: StorageHealth | None = None) -> None:
        """Read the ledger at `path`; `open_readers` comes before the first question.

        `health` is shared with those who write to the file.
        """
        LedgerReader.__init__(self)
        self._path = path
        self._health = health or StorageHealth()
        self._readers: list[Any] = []
        # The one used last comes first: its cache is warm.
        self._free: queue.LifoQueue[Any] = queue.LifoQueue()

    def open_readers(self) -> None:
        """Open all connections and the files behind them; the database must be there.

        There are never more of them, whatever threads come and go, and none is opened later, when
        the process may be out of file descriptors.
        """
        with telling(self._health):
            for _ in range(READERS):
                reader = connect(self._path, read_only=True)
                self._readers.append(reader)
                reader.execute("SELECT 1 FROM sqlite_schema").fetchone()
                self._free.put(reader)

    @override
    @contextmanager
    def _reading(self, tenant: str = EVERY_TENANT) -> Iterator[Connection]:
        """A connection of the pool, for as long as the block runs."""
        refuse_on_event_loop("the ledger")
        try:
            reader = self._free.get(timeout=WAIT_SECONDS)
        except queue.Empty:
            raise Unavailable(
                "too many queries of the ledger at once; try again in a moment",
                code=ErrorCode.OVERLOADED,
            ) from None
        if reader is None:
            self._free.put(None)  # for whoever else asks
            raise Unavailable("the ledger is closed", code=ErrorCode.SHUTTING_DOWN)
        try:
            with telling(self._health):
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
                if raw.in_transaction:  # it is not after some errors
                    raw.execute("COMMIT")

    @override
    def _see_all(self, reader: Connection) -> None:
        """A file has no wall between organizations."""

    def close_readers(self) -> None:
        """Release all connections; what is being asked is broken off.

        One that is still in use after a while is left to the end of the process: closing it under
        the thread that reads with it would crash.
        """
        for reader in self._readers:
            reader.interrupt()
        for _ in self._readers:
            try:
                self._free.get(timeout=CLOSE_SECONDS).close()
            except queue.Empty:
                logger.warning("a question to the ledger did not end in time")
        self._readers = []
        self._free.put(None)

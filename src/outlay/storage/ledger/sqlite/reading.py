"""Reading the ledger in a SQLite file, on a connection of each thread's own."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typing_extensions import override

from outlay.storage.ledger.reading import Connection, LedgerReader
from outlay.storage.ledger.rows import EventRow
from outlay.storage.sqlite import connect
from outlay.storage.tenant import EVERY_TENANT


class SqliteReading(LedgerReader):
    """What has been committed to one file. Thread-safe."""

    def __init__(self, path: Path) -> None:
        """Read the ledger at `path`, which must be there by the first question."""
        self._path = path
        self._readers = threading.local()
        self._open_readers: list[Any] = []
        self._opening = threading.Lock()

    @override
    @contextmanager
    def _reading(self, tenant: str = EVERY_TENANT) -> Iterator[Connection]:
        """This thread's own read connection."""
        connection = getattr(self._readers, "connection", None)
        if connection is None:
            connection = connect(self._path, read_only=True)
            self._readers.connection = connection
            with self._opening:
                self._open_readers.append(connection)
        yield connection

    @override
    def _stream(self, text: str, values: Sequence[Any]) -> Iterator[EventRow]:
        with self._reading() as reader:
            yield from reader.execute(text, values)

    def close_readers(self) -> None:
        """Release the connections of all threads."""
        for reader in self._open_readers:
            reader.close()

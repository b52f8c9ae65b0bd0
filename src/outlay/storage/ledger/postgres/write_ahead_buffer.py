"""A write-ahead buffer on disk for times when the database is unreachable: a bounded queue of
commits.

Its content is acknowledged. It is moved to the database in order once that is reachable, by this
process or its successor. Event ids count once, so moving an entry twice adds nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import pysqlite3 as driver

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Unavailable
from outlay.domain.event import UsageEvent
from outlay.domain.ids import EventId, OrganizationId
from outlay.storage.ledger.rows import Intent
from outlay.storage.sqlite import connect

_CREATE: Final = (
    "CREATE TABLE IF NOT EXISTS entry ("
    "entry_id INTEGER NOT NULL PRIMARY KEY, size INTEGER NOT NULL, body BLOB NOT NULL) STRICT"
)


class Entry(NamedTuple):
    """One commit that is not in the database yet."""

    events: list[UsageEvent]
    intents: list[tuple[OrganizationId, EventId, bytes]]
    settled: list[tuple[str, str]]

    @property
    def size(self) -> int:
        """Its number of events and intents."""
        return len(self.events) + len(self.intents)


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Entry).decode


class WriteAheadBuffer:
    """Entries in a SQLite file. Used by one thread."""

    def __init__(self, path: Path, capacity: int) -> None:
        """Open or create the file; it takes up to `capacity` events and intents."""
        self._connection = connect(path)
        self._connection.execute(_CREATE)
        self._capacity = capacity
        found = self._connection.execute("SELECT count(*), coalesce(sum(size), 0) FROM entry")
        self._entries: int
        self.size: int
        """Buffered events and intents."""
        self._entries, self.size = found.fetchone()

    @property
    def is_empty(self) -> bool:
        """Whether the buffer is empty; known without reading the file."""
        return self._entries == 0

    @property
    def is_full(self) -> bool:
        """Whether the buffer is full."""
        return self.size >= self._capacity

    def append(
        self,
        events: Sequence[UsageEvent],
        intents: Sequence[Intent],
        settled: Sequence[tuple[str, str]],
    ) -> None:
        """Buffer a commit; on disk when this returns. Raises Unavailable if the buffer is full or
        the disk fails.

        Outcomes are buffered even if it is full: their requests were already answered.
        """
        entry = Entry(list(events), [intent[:3] for intent in intents], list(settled))
        if self.size + entry.size > self._capacity and not settled:
            raise Unavailable(
                "The database is unreachable and the local write-ahead buffer is full "
                f"({self.size} entries). Try again in a moment.",
                code=ErrorCode.JOURNAL_FULL,
            )
        try:
            self._connection.execute(
                "INSERT INTO entry (size, body) VALUES (?, ?)", (entry.size, _encode(entry))
            )
        except driver.Error as error:
            raise Unavailable(
                "The database is unreachable and the local write-ahead buffer is not writable: "
                f"{error}.",
                code=ErrorCode.JOURNAL_FAILED,
            ) from error
        self._entries += 1
        self.size += entry.size

    def oldest(self, size: int) -> tuple[int, Entry]:
        """The oldest entries merged into one, with the id of the last of them; the buffer must not
        be empty.

        As many as fit `size` events and intents, but at least one entry.
        """
        merged = Entry([], [], [])
        last_id = 0
        for entry_id, body in self._connection.execute(
            "SELECT entry_id, body FROM entry ORDER BY entry_id"
        ):
            entry = _decode(body)
            if last_id and merged.size + entry.size > size:
                break
            merged.events.extend(entry.events)
            merged.intents.extend(entry.intents)
            merged.settled.extend(entry.settled)
            last_id = entry_id
        return last_id, merged

    def drop_through(self, entry_id: int) -> None:
        """Delete the entries up to an id, which are in the database."""
        dropped = self._connection.execute(
            "DELETE FROM entry WHERE entry_id <= ? RETURNING size", (entry_id,)
        )
        sizes = [size for (size,) in dropped.fetchall()]
        self._entries -= len(sizes)
        self.size -= sum(sizes)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

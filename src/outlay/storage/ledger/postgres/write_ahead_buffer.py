"""The local journal of a node whose database is away: a bounded queue of commits, on disk.

What is in it has been acknowledged. It goes to the database in its order once that is back, from
this process or the next one of its place; ids count once, so what is sent again adds nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import pysqlite3 as driver

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Unavailable
from outlay.domain.event import UsageEvent
from outlay.domain.ids import OrganizationId
from outlay.storage.ledger.rows import Intent
from outlay.storage.sqlite import connect

_CREATE: Final = (
    "CREATE TABLE IF NOT EXISTS entry ("
    "entry_id INTEGER NOT NULL PRIMARY KEY, size INTEGER NOT NULL, body BLOB NOT NULL) STRICT"
)


class Entry(NamedTuple):
    """One commit that the database has not got yet."""

    events: list[UsageEvent]
    intents: list[tuple[OrganizationId, str, bytes]]
    settled: list[tuple[str, str]]

    @property
    def size(self) -> int:
        """What it counts for."""
        return len(self.events) + len(self.intents)


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Entry).decode


class Spool:
    """Entries in a file. Used by one thread."""

    def __init__(self, path: Path, capacity: int) -> None:
        """Open or create; it takes up to `capacity` events and intents."""
        self._connection = connect(path)
        self._connection.execute(_CREATE)
        self._capacity = capacity
        found = self._connection.execute("SELECT count(*), coalesce(sum(size), 0) FROM entry")
        self._entries: int
        self.size: int
        """Events and intents that wait."""
        self._entries, self.size = found.fetchone()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits; known without a look at the file."""
        return self._entries == 0

    @property
    def is_full(self) -> bool:
        """Whether there is no room for anything."""
        return self.size >= self._capacity

    def append(
        self,
        events: Sequence[UsageEvent],
        intents: Sequence[Intent],
        settled: Sequence[tuple[str, str]],
    ) -> None:
        """Keep a commit; on disk when this returns. Raises Unavailable when there is no room,
        or the disk takes nothing.

        Outcomes are kept in any case: their requests have been answered.
        """
        entry = Entry(list(events), [intent[:3] for intent in intents], list(settled))
        if self.size + entry.size > self._capacity and not settled:
            raise Unavailable(
                f"the database does not answer, and the local journal is full ({self.size} "
                "entries); try again in a moment",
                code=ErrorCode.JOURNAL_FULL,
            )
        try:
            self._connection.execute(
                "INSERT INTO entry (size, body) VALUES (?, ?)", (entry.size, _encode(entry))
            )
        except driver.Error as error:
            raise Unavailable(
                f"the database does not answer, and the local journal cannot write: {error}",
                code=ErrorCode.JOURNAL_FAILED,
            ) from error
        self._entries += 1
        self.size += entry.size

    def oldest(self, size: int) -> tuple[int, Entry]:
        """The oldest entries as one, with the id of the last of them; there must be some.

        Of so many events and intents together, or of a single entry that has more.
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
        """Forget the entries up to one, which the database has."""
        dropped = self._connection.execute(
            "DELETE FROM entry WHERE entry_id <= ? RETURNING size", (entry_id,)
        )
        sizes = [size for (size,) in dropped.fetchall()]
        self._entries -= len(sizes)
        self.size -= sum(sizes)

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

"""The local journal of a node whose database is away: a bounded queue of commits, on disk.

What is in it has been acknowledged. It goes to the database in its order once that is back, from
this process or the next one of its place; ids count once, so what is sent again adds nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from outlay.domain.errors import Unavailable
from outlay.domain.event import UsageEvent
from outlay.storage.ledger.rows import Intent
from outlay.storage.sqlite import connect

_CREATE: Final = (
    "CREATE TABLE IF NOT EXISTS entry ("
    "entry_id INTEGER NOT NULL PRIMARY KEY, size INTEGER NOT NULL, body BLOB NOT NULL) STRICT"
)


class Entry(NamedTuple):
    """One commit that the database has not got yet."""

    events: list[UsageEvent]
    intents: list[tuple[str, str, bytes]]
    settled: list[tuple[str, str]]


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Entry).decode


class Spool:
    """Entries in a file. Used by one thread."""

    def __init__(self, path: Path, capacity: int) -> None:
        """Open or create; it takes up to `capacity` events and intents."""
        self._connection = connect(path)
        self._connection.execute(_CREATE)
        self._capacity = capacity
        found = self._connection.execute("SELECT coalesce(sum(size), 0) FROM entry").fetchone()
        self.size: int = found[0]
        """Events and intents that wait."""

    def append(
        self,
        events: Sequence[UsageEvent],
        intents: Sequence[Intent],
        settled: Sequence[tuple[str, str]],
    ) -> None:
        """Keep a commit; on disk when this returns. Raises Unavailable when there is no room.

        Outcomes are kept in any case: their requests have been answered.
        """
        size = len(events) + len(intents)
        if self.size + size > self._capacity and not settled:
            raise Unavailable(
                f"the database does not answer, and the local journal is full ({self.size} "
                "entries); try again in a moment",
                code="journal-full",
            )
        body = _encode(Entry(list(events), [intent[:3] for intent in intents], list(settled)))
        self._connection.execute("INSERT INTO entry (size, body) VALUES (?, ?)", (size, body))
        self.size += size

    def first(self) -> tuple[int, Entry] | None:
        """The oldest entry and its id."""
        found = self._connection.execute(
            "SELECT entry_id, body FROM entry ORDER BY entry_id LIMIT 1"
        ).fetchone()
        return (found[0], _decode(found[1])) if found else None

    def drop(self, entry_id: int) -> None:
        """Forget an entry that the database has."""
        (size,) = self._connection.execute(
            "DELETE FROM entry WHERE entry_id = ? RETURNING size", (entry_id,)
        ).fetchone()
        self.size -= size

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

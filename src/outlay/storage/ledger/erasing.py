"""Erasing identities from recorded rows, a few rows per transaction.

Commits wait for a transaction that changes rows, so it must be short. As much as possible is done
beforehand: the affected batches are read, checked and encoded without a lock, and their new
checksums are computed. The transaction then only verifies that the batches are unchanged, and
writes. Each batch has a valid checksum after each of these transactions; a process that was killed
between two of them starts again and finds the rest.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from threading import Event
from typing import Any, Final, NamedTuple

import msgspec

from outlay.domain.errors import Damaged
from outlay.domain.ids import OrganizationId
from outlay.storage.ledger import queries
from outlay.storage.ledger.checking import BatchHead
from outlay.storage.ledger.connection import Connection
from outlay.storage.ledger.rows import (
    COLUMN,
    GENESIS,
    EventRow,
    batch_checksum,
    digest_of_facts,
    encode_row,
    replace_in_facts,
)

LOCK_SECONDS: Final = 0.01
"""Target duration of a transaction, including its fsync."""
MIN_ROWS: Final = 20
MAX_ROWS: Final = 400
FIRST_ROWS: Final = 100
REST: Final = 3.0
"""Seconds of pause per second of work: erasing uses a quarter of one core and of the disk."""

_END_USER: Final = COLUMN["end_user"]
_USER: Final = COLUMN["user_id"]
_TIME: Final = COLUMN["event_time_us"]


class Rewriting(NamedTuple):
    """Which events are changed, and how."""

    find: str
    """A query for sequence numbers after the second last value, limited to the last value."""
    values: tuple[Any, ...]
    change: Callable[[EventRow], EventRow]


class Draft:
    """A batch and the planned changes of its rows."""

    def __init__(self, head: BatchHead, rows: Sequence[EventRow]) -> None:
        """`head` and `rows` are the stored ones, already checked."""
        self.head = head
        self._rows = list(rows)
        self._encoded = [msgspec.Raw(encode_row(row[: head.row_width])) for row in rows]

    def change(
        self, sequences: Sequence[int], change: Callable[[EventRow], EventRow]
    ) -> "Replacement | None":
        """Change some rows; returns what is to be stored, None if nothing changes."""
        before, changed = self.head, []
        for seq in sequences:
            index = seq - before.first_seq
            row = change(self._rows[index])
            if row != self._rows[index]:
                self._rows[index] = row
                self._encoded[index] = msgspec.Raw(encode_row(row[: before.row_width]))
                changed.append(row)
        if not changed:
            return None
        restated = batch_checksum(before.previous or GENESIS, self._encoded)
        self.head = before._replace(restated=restated)
        return Replacement(before, restated, changed)


class Replacement(NamedTuple):
    """The changed rows of a batch."""

    before: BatchHead
    restated: bytes
    rows: list[EventRow]

    def apply(self, writer: Connection) -> None:
        """Store them; raises Overtaken if the batch has changed."""
        found = writer.execute(queries.CHECKSUMS, (self.before.batch_id,)).fetchone()
        if found is None or tuple(found) != (self.before.checksum, self.before.restated):
            raise Overtaken
        changes = [(row[_END_USER], row[_USER], row[0], row[_TIME]) for row in self.rows]
        writer.executemany(queries.REPLACE_CLAIMS, changes)
        writer.execute(queries.RESTATE, (self.restated, self.before.batch_id))


class Overtaken(Exception):
    """The batch has been changed since it was read."""


class Pace:
    """How many rows are changed per transaction, and the pause between two."""

    def __init__(self, stop: Event | None) -> None:
        self._stop = stop or Event()
        self.rows = FIRST_ROWS

    def note(self, seconds: float) -> None:
        """Adjust to the duration of a transaction with about `rows` rows."""
        fitting = int(self.rows * LOCK_SECONDS / max(seconds, 0.001))
        self.rows = max(MIN_ROWS, min(fitting, 2 * self.rows, MAX_ROWS))

    def rest(self, since: float) -> None:
        """Pause after working since a monotonic instant."""
        self._stop.wait(max(0.002, (time.monotonic() - since) * REST))

    @property
    def is_over(self) -> bool:
        """Whether to stop."""
        return self._stop.is_set()


class Drafts:
    """The batches being rewritten; those of the last step are cached for the next one."""

    def __init__(
        self, read: Callable[[Sequence[int]], Mapping[int, Draft | Damaged]], wanted: Rewriting
    ) -> None:
        """`read` returns the batches that some sequence numbers are in."""
        self._read = read
        self._wanted = wanted
        self._last: Draft | None = None
        self.damage: Damaged | None = None
        """The damage of the first batch that was skipped, because its original content is
        unknown.
        """

    def replacements(self, sequences: Sequence[int]) -> list[Replacement]:
        """The replacements that change these events."""
        last = self._last
        kept = [] if last is None else [seq for seq in sequences if seq <= last.head.last_seq]
        found: dict[int, Draft | Damaged] = dict.fromkeys(kept, last) if last is not None else {}
        if len(kept) < len(sequences):
            found.update(self._read(sequences[len(kept) :]))
        replacements = []
        for draft, part in groupby(sequences, key=lambda seq: found[seq]):
            if isinstance(draft, Damaged):
                self.damage = self.damage or draft
                continue
            self._last = draft
            replacement = draft.change([*part], self._wanted.change)
            if replacement is not None:
                replacements.append(replacement)
        return replacements

    def forget(self) -> None:
        """Clear the cache."""
        self._last = None


def claims_replaced(organization_id: OrganizationId, claim: str, instead: str) -> Rewriting:
    """Replace a claim, which is in lower case, by `instead`."""

    def change(row: EventRow) -> EventRow:
        return _with_claims(
            row,
            instead if row[_END_USER].lower() == claim else row[_END_USER],
            instead if row[_USER].lower() == claim else row[_USER],
        )

    return Rewriting(queries.CLAIMED_EVENTS, (organization_id, claim, claim), change)


def end_users_dropped(organization_id: OrganizationId, before_us: int) -> Rewriting:
    """Drop the claimed end users of events before an instant."""
    return Rewriting(
        queries.CLAIMS_BEFORE,
        (organization_id, before_us),
        lambda row: _with_claims(row, "", row[_USER]),
    )


def conflicts_replaced(
    reader: Connection, organization_id: OrganizationId, claim: str, instead: str
) -> Iterator[tuple[str, bytes, int]]:
    """The facts of refused events, their new digest, and their position, with the identity
    replaced.
    """
    for rowid, facts in reader.execute(queries.CONFLICTS, (organization_id,)).fetchall():
        changed = replace_in_facts(facts, claim, instead)
        if changed != facts:
            yield changed, digest_of_facts(changed), rowid


def replace_offered(changed: Sequence[tuple[str, bytes, int]], writer: Connection) -> None:
    """Store the changed facts of refused events."""
    writer.executemany(queries.REPLACE_OFFERED, changed)


def apply_all(replacements: Iterable[Replacement], writer: Connection) -> None:
    """Store changed rows; raises Overtaken if a batch has changed."""
    for replacement in replacements:
        replacement.apply(writer)


def _with_claims(row: EventRow, end_user: str, user_id: str) -> EventRow:
    changed = list(row)
    changed[_END_USER], changed[_USER] = end_user, user_id
    return tuple(changed)

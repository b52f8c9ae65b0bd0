"""Taking identities out of rows that are on record, a few rows per transaction.

Commits wait for a transaction that changes rows, so it must be short. Whatever can be done before
is done before: the batches concerned are read, checked and encoded without a lock, and their new
checksums computed. The transaction then only compares the batches with what was read and writes.
A batch has the right checksum after each of these transactions; who is killed between two of them
begins again, and finds what is left.
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
from outlay.storage.ledger.reading import Connection
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
"""Aimed at for a transaction, its fsync included."""
MIN_ROWS: Final = 20
MAX_ROWS: Final = 400
FIRST_ROWS: Final = 100
REST: Final = 3.0
"""Seconds of rest per second of work: a quarter of one core, and of the disk."""

_END_USER: Final = COLUMN["end_user"]
_USER: Final = COLUMN["user_id"]
_TIME: Final = COLUMN["event_time_us"]


class Rewriting(NamedTuple):
    """Which events are changed, and into what."""

    find: str
    """Finds sequence numbers after the last value but one, as many as the last value."""
    values: tuple[Any, ...]
    change: Callable[[EventRow], EventRow]


class Draft:
    """A batch and what its rows are about to be."""

    def __init__(self, head: BatchHead, rows: Sequence[EventRow]) -> None:
        """`head` and `rows` are what is stored, and have been checked."""
        self.head = head
        self._rows = list(rows)
        self._encoded = [msgspec.Raw(encode_row(row[: head.row_width])) for row in rows]

    def change(
        self, sequences: Sequence[int], change: Callable[[EventRow], EventRow]
    ) -> "Replacement | None":
        """Change some rows; what is to be stored, None when they stay as they are."""
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
    """Rows of a batch with another wording."""

    before: BatchHead
    restated: bytes
    rows: list[EventRow]

    def apply(self, writer: Connection) -> None:
        """Store them; raises Overtaken when the batch is no longer what it was."""
        found = writer.execute(queries.CHECKSUMS, (self.before.batch_id,)).fetchone()
        if found is None or tuple(found) != (self.before.checksum, self.before.restated):
            raise Overtaken
        changes = [(row[_END_USER], row[_USER], row[0], row[_TIME]) for row in self.rows]
        writer.executemany(queries.REPLACE_CLAIMS, changes)
        writer.execute(queries.RESTATE, (self.restated, self.before.batch_id))


class Overtaken(Exception):
    """Somebody else has changed the batch since it was read."""


class Pace:
    """How many rows are changed per transaction, and the rest between two."""

    def __init__(self, stop: Event | None) -> None:
        self._stop = stop or Event()
        self.rows = FIRST_ROWS

    def note(self, seconds: float) -> None:
        """Learn from how long a transaction of about `rows` rows took."""
        fitting = int(self.rows * LOCK_SECONDS / max(seconds, 0.001))
        self.rows = max(MIN_ROWS, min(fitting, 2 * self.rows, MAX_ROWS))

    def rest(self, since: float) -> None:
        """Leave the machine to others, after working since a monotonic instant."""
        self._stop.wait(max(0.002, (time.monotonic() - since) * REST))

    @property
    def is_over(self) -> bool:
        """Whether no more is to be begun."""
        return self._stop.is_set()


class Drafts:
    """The batches that a rewriting is at: those of the last step are kept for the next one."""

    def __init__(
        self, read: Callable[[Sequence[int]], Mapping[int, Draft | Damaged]], wanted: Rewriting
    ) -> None:
        """`read` gives for each of some sequence numbers the batch that it is in."""
        self._read = read
        self._wanted = wanted
        self._last: Draft | None = None
        self.damage: Damaged | None = None
        """Of the first batch that was left as it is, as nobody can say what belongs there."""

    def replacements(self, sequences: Sequence[int]) -> list[Replacement]:
        """What to store in order to change these events."""
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
        """Read anew what is changed next."""
        self._last = None


def claims_replaced(organization_id: OrganizationId, claim: str, instead: str) -> Rewriting:
    """Put `instead` in the place of a claim, which is in lower case."""

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
    """What refused events are said to have told, with another identity, its digest, and where."""
    for rowid, facts in reader.execute(queries.CONFLICTS, (organization_id,)).fetchall():
        told = replace_in_facts(facts, claim, instead)
        if told != facts:
            yield told, digest_of_facts(told), rowid


def replace_offered(told: Sequence[tuple[str, bytes, int]], writer: Connection) -> None:
    """Store what refused events are said to have told."""
    writer.executemany(queries.REPLACE_OFFERED, told)


def apply_all(replacements: Iterable[Replacement], writer: Connection) -> None:
    """Store the new wording of rows; raises Overtaken when a batch is no longer what it was."""
    for replacement in replacements:
        replacement.apply(writer)


def _with_claims(row: EventRow, end_user: str, user_id: str) -> EventRow:
    changed = list(row)
    changed[_END_USER], changed[_USER] = end_user, user_id
    return tuple(changed)

"""Deduplication of reports of the same provider answer: one event counts, the others are repeated
reports.

Recorded rows are looked up in the transaction that stores the new events, under the writer's lock,
so two reports never miss each other, whichever node receives them.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from outlay.domain.amendment import as_repeat, standing, void_id, voided
from outlay.domain.errors import Damaged
from outlay.domain.event import Amendment, UsageEvent
from outlay.domain.outcome import Outcome
from outlay.domain.same_answer import APART_US, MAX_REPORTS, is_same_answer, outranks
from outlay.storage.ledger import queries
from outlay.storage.ledger.connection import Connection, Lookup
from outlay.storage.ledger.rows import COLUMN, EventRow, from_row

logger = logging.getLogger(__name__)

BY_ANSWER: Final = "same-answer"
"""The amendment id of rows that were voided in favour of a better report of the same answer."""

MAX_IDS: Final = 256
"""Ids per statement."""

MAX_COMMON: Final = 10_000
"""Most cached ids that are shared by too many answers."""

_RESPONSE_ID: Final = COLUMN["response_id"]

Check = Callable[[Sequence[EventRow]], None]
"""Raises Damaged unless rows match their checksums."""

_Answer = tuple[str, str]
"""Organization and the provider's id of an answer."""

_Key = tuple[str, str]
"""Organization and id of an event."""


@dataclass(slots=True)
class Submitted:
    """Events as they are to be stored: later reports marked as repeated, with void rows."""

    events: Sequence[UsageEvent]
    own: Sequence[int | None] | None = None
    """The index of each submitted event in `events`, None for one that is left out; None if they
    are the same."""
    repeats: Sequence[int] = ()
    """Indexes of submitted events whose answer counts under another id."""

    def outcomes(self, stored: list[Outcome]) -> list[Outcome]:
        """The outcomes of the submitted events, derived from those of the stored ones."""
        if self.own is None:
            return stored
        own = [Outcome.DUPLICATE if at is None else stored[at] for at in self.own]
        for at in self.repeats:
            if own[at] is Outcome.ACCEPTED:
                own[at] = Outcome.DUPLICATE
        return own


class CommonIds:
    """Ids shared by too many answers. Used by the writer thread."""

    def __init__(self) -> None:
        self._known: dict[_Answer, None] = {}

    def __contains__(self, answer: _Answer) -> bool:
        return answer in self._known

    def add(self, answer: _Answer) -> None:
        """Add an id, replacing the oldest if full."""
        if len(self._known) >= MAX_COMMON:
            del self._known[next(iter(self._known))]
        self._known[answer] = None


@dataclass(slots=True)
class _Known:
    """The recorded reports of the incoming answers."""

    counted: dict[_Answer, list[UsageEvent]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[_Key, EventRow] = field(default_factory=dict)
    """Recorded rows."""


def settle_answers(
    connection: Connection,
    events: Sequence[UsageEvent],
    lookup: Lookup,
    common: CommonIds,
    check: Check,
) -> Submitted:
    """Decide which of some new events count, in the current transaction that will store them.

    `check` is called with the recorded rows that are to be voided.
    """
    reported = [
        event
        for event in events
        if event.response_id and not event.amendment and _answer_of(event) not in common
    ]
    amending = [event for event in events if event.amendment]
    if not reported and not amending:
        return Submitted(events)
    known = _on_record(connection, reported, lookup, common)
    answers = {_answer_of(event) for event in reported}
    if not amending and not known.rows and len(answers) == len(reported):
        return Submitted(events)
    taken = {*known.rows, *_taken(connection, [*map(_key_of, (*reported, *amending))], lookup)}
    settling = _Settling(known, taken, check)
    for event in events:
        if event.amendment:
            settling.amend(event)
        elif not event.response_id or _answer_of(event) in common or _key_of(event) in taken:
            settling.store(event)
        else:
            settling.report(event)
    return Submitted(settling.stored, settling.own, settling.repeats)


class _Settling:
    """Processes the events of a commit in order."""

    def __init__(self, known: _Known, taken: set[_Key], check: Check) -> None:
        self._known = known
        self._taken = taken
        self._check = check
        self._voided: set[_Key] = set()
        """Events voided in this commit, to be replaced by another version."""
        self.stored: list[UsageEvent] = []
        self.own: list[int | None] = []
        self.repeats: list[int] = []

    def store(self, event: UsageEvent) -> None:
        """Store an event unchanged."""
        self.own.append(len(self.stored))
        self.stored.append(event)

    def amend(self, event: UsageEvent) -> None:
        """Apply an amendment, unless another one came first.

        A version replaces an event only if the event is voided in this commit: an earlier amendment
        may have had another reason than repricing.
        """
        target = (event.organization_id, event.amends)
        counted = self._known.counted.get(_answer_of(event), [])
        if event.amendment == Amendment.VOID and _key_of(event) not in self._taken:
            self._taken.add(_key_of(event))
            self._voided.add(target)
            counted[:] = [other for other in counted if other.event_id != event.amends]
        elif event.amendment == Amendment.RESTATE and target in self._voided:
            self._voided.remove(target)
            counted.append(event)
        else:
            self.own.append(None)
            return
        self.store(event)

    def report(self, event: UsageEvent) -> None:
        """Apply a report of an answer: counted, or marked as repeated if there is a better one."""
        self._taken.add(_key_of(event))
        counted = self._known.counted[_answer_of(event)]
        if len(counted) > MAX_REPORTS:  # of this commit: comparing all with all would delay it
            self.store(event)
            return
        others = [other for other in counted if is_same_answer(event, other)]
        better = next((other for other in others if not self._outranks(event, other)), None)
        if better is not None:
            self.repeats.append(len(self.own))
            self.store(as_repeat(event, better.event_id))
            return
        self.store(event)
        for other in others:
            counted.remove(other)
            self._taken.add((other.organization_id, void_id(other.event_id)))
            self.stored.append(voided(other, BY_ANSWER))
        counted.append(event)

    def _outranks(self, event: UsageEvent, other: UsageEvent) -> bool:
        """Whether a report replaces another one, whose checksum must match."""
        if not outranks(event, other):
            return False
        row = self._known.rows.get(_key_of(other))
        if row is not None:
            try:
                self._check([row])
            except Damaged as error:  # reported when it is read; new events must be stored anyway
                logger.warning("event %s cannot be voided: %s", other.event_id, error.message)
                return False
        return True


def _key_of(event: UsageEvent) -> _Key:
    return event.organization_id, event.event_id


def _answer_of(event: UsageEvent) -> _Answer:
    return event.organization_id, event.response_id


def _on_record(
    connection: Connection, events: Sequence[UsageEvent], lookup: Lookup, common: CommonIds
) -> _Known:
    """The recorded rows of some events' answers, and which of them count."""
    known = _Known()
    for organization_id, ids, times in _by_organization(events):
        window = (min(times) - APART_US, max(times) + APART_US)
        for part in _padded(ids):
            for row in _rows_of(connection, (organization_id, *window), part, lookup, common):
                event = from_row(row)
                known.rows[organization_id, event.event_id] = row
                known.counted[_answer_of(event)].append(event)
    for answer, found in known.counted.items():
        known.counted[answer] = standing(found)
    return known


def _rows_of(
    connection: Connection,
    window: tuple[str, int, int],
    ids: Sequence[str],
    lookup: Lookup,
    common: CommonIds,
) -> list[EventRow]:
    """The rows with some answer ids, without ids that turn out to be common."""

    def read(part: Sequence[str], limit: int) -> list[EventRow]:
        statement = queries.events_of_answers(lookup.time, len(part))
        return connection.execute(statement, (*window, *part, limit)).fetchall()

    enough = MAX_REPORTS + 8 * len(ids)
    rows = read(ids, enough)
    if len(rows) == enough:
        rows = [row for one in dict.fromkeys(ids) for row in read([one], MAX_REPORTS + 1)]
    # Decided by the recorded rows of each id, not by how many came in with it: batches of any size
    # give the same result.
    counts = Counter(row[_RESPONSE_ID] for row in rows)
    crowded = {one for one, count in counts.items() if count > MAX_REPORTS}
    for one in crowded:
        common.add((window[0], one))
    return [row for row in rows if row[_RESPONSE_ID] not in crowded]


def _taken(connection: Connection, keys: Sequence[_Key], lookup: Lookup) -> Iterator[_Key]:
    """Which of some event ids are recorded, with any answer or without one."""
    for organization_id, some in groupby(sorted({*keys}), key=lambda key: key[0]):
        for part in _padded([event_id for _, event_id in some]):
            statement = queries.taken_ids(lookup.ids, len(part))
            for (event_id,) in connection.execute(statement, (organization_id, *part)):
                yield organization_id, event_id


def _by_organization(
    events: Sequence[UsageEvent],
) -> Iterator[tuple[str, list[str], list[int]]]:
    """Organizations with the ids and times of their answers."""
    of: dict[str, tuple[dict[str, None], list[int]]] = defaultdict(lambda: ({}, []))
    for event in events:
        ids, times = of[event.organization_id]
        ids[event.response_id] = None
        times.append(event.event_time_us)
    for organization_id, (ids, times) in of.items():
        yield organization_id, [*ids], times


def _padded(ids: Sequence[str]) -> Iterator[list[str]]:
    """Ids in batches whose lengths are powers of two, so that few statements are prepared."""
    for start in range(0, len(ids), MAX_IDS):
        part = [*ids[start : start + MAX_IDS]]
        size = 1 << (len(part) - 1).bit_length()
        yield part + [part[-1]] * (size - len(part))

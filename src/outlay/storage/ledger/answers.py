"""Reports of the same answer of a provider: one event counts, the others bear witness.

What is on record is looked up in the transaction that stores the new events, under the lock of
whoever writes: two reports never miss each other, on whichever node they come in.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from outlay.domain.amendment import as_witness, standing, voided
from outlay.domain.answer import APART_US, is_same_answer, outranks
from outlay.domain.event import UsageEvent
from outlay.domain.outcome import Outcome
from outlay.storage.ledger import queries
from outlay.storage.ledger.reading import Connection, Lookup
from outlay.storage.ledger.rows import EventRow, from_row

BY_ANSWER: Final = "same-answer"
"""The amendment id of rows that are taken back for a better report of the same answer."""

MAX_IDS: Final = 256
"""Ids per statement."""

Check = Callable[[Sequence[EventRow]], None]
"""Raises Damaged unless rows are what was written."""

_Answer = tuple[str, str]
"""Organization and the provider's id of an answer."""


@dataclass(slots=True)
class Submitted:
    """Events as they are to be stored: what comes second as witness, with rows that take back."""

    events: Sequence[UsageEvent]
    own: Sequence[int] | None = None
    """Where the events that were submitted are among them; None when they are the same."""
    witnesses: Sequence[int] = ()
    """Which of those that were submitted count under another id."""

    def outcomes(self, stored: list[Outcome]) -> list[Outcome]:
        """What became of the events that were submitted, from what became of those stored."""
        own = stored if self.own is None else [stored[at] for at in self.own]
        for at in self.witnesses:
            if own[at] is Outcome.ACCEPTED:
                own[at] = Outcome.DUPLICATE
        return own


@dataclass(slots=True)
class _Known:
    """What is known of the answers that come in."""

    counted: dict[_Answer, list[UsageEvent]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[tuple[str, str], EventRow] = field(default_factory=dict)
    """By organization and event id, those on record."""


def settle_answers(
    connection: Connection, events: Sequence[UsageEvent], lookup: Lookup, check: Check
) -> Submitted:
    """Which of some new events count, in the transaction under way that will store them.

    `check` is called with the rows on record that are taken back.
    """
    reported = [event for event in events if event.response_id and not event.amendment]
    if not reported:
        return Submitted(events)
    known = _on_record(connection, reported, lookup)
    answers = {_answer_of(event) for event in reported}
    if not known.rows and len(answers) == len(reported):
        return Submitted(events)
    taken = {*known.rows, *_taken(connection, reported, lookup)}
    stored: list[UsageEvent] = []
    own: list[int] = []
    witnesses: list[int] = []
    for at, event in enumerate(events):
        own.append(len(stored))
        key = (event.organization_id, event.event_id)
        if not event.response_id or event.amendment or key in taken:
            stored.append(event)
            continue
        taken.add(key)
        counted = known.counted[_answer_of(event)]
        others = [other for other in counted if is_same_answer(event, other)]
        better = next((other for other in others if not outranks(event, other)), None)
        if better is not None:
            witnesses.append(at)
            stored.append(as_witness(event, better.event_id))
            continue
        stored.append(event)
        for other in others:
            row = known.rows.get((other.organization_id, other.event_id))
            if row is not None:
                check([row])
            counted.remove(other)
            stored.append(voided(other, BY_ANSWER))
        counted.append(event)
    return Submitted(stored, own, witnesses)


def _answer_of(event: UsageEvent) -> _Answer:
    return event.organization_id, event.response_id


def _on_record(connection: Connection, events: Sequence[UsageEvent], lookup: Lookup) -> _Known:
    """The rows that report the answers of some events, and which of them count."""
    known = _Known()
    for organization_id, ids, times in _by_organization(events):
        window = (min(times) - APART_US, max(times) + APART_US)
        for part in _padded(ids):
            statement = queries.events_of_answers(lookup.time, len(part))
            for row in connection.execute(statement, (organization_id, *window, *part)):
                event = from_row(row)
                known.rows[organization_id, event.event_id] = row
                known.counted[_answer_of(event)].append(event)
    for answer, found in known.counted.items():
        known.counted[answer] = standing(found)
    return known


def _taken(
    connection: Connection, events: Sequence[UsageEvent], lookup: Lookup
) -> Iterator[tuple[str, str]]:
    """Those of the ids of some events that are on record, with other answers or none."""
    by_organization = groupby(
        sorted((event.organization_id, event.event_id) for event in events), key=lambda key: key[0]
    )
    for organization_id, keys in by_organization:
        for part in _padded(sorted({event_id for _, event_id in keys})):
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
    """Ids in parts whose lengths are powers of two, so that few statements are prepared."""
    for start in range(0, len(ids), MAX_IDS):
        part = [*ids[start : start + MAX_IDS]]
        size = 1 << (len(part) - 1).bit_length()
        yield part + [part[-1]] * (size - len(part))

"""Amendment rows: how they are made and identified.

A row of the ledger is never changed. A wrong row is cancelled by a second row (void) and, if there
is a corrected version, replaced by a third. Their ids follow from the id of the amended row, so
concurrent writers cannot cancel a row twice.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from outlay.domain.event import SIGN, Amendment, UsageEvent
from outlay.domain.ids import EventId

RESERVED: Final = "amendment:"
"""Prefix of amendment ids; senders must not use it in event ids."""

_VOID: Final = f"{RESERVED}void:"
_RESTATED: Final = re.compile(rf"{RESERVED}(\d+):(.*)", re.DOTALL)


def void_id(event_id: EventId) -> EventId:
    """Whether this is the operator of the installation, who has every permission."""
    return EventId(f"{_VOID}{event_id}")


def version_id(root: EventId, version: int) -> EventId:
    """The id of a version of an event; version 1 is the event as reported."""
    return root if version == 1 else EventId(f"{RESERVED}{version}:{root}")


def version_of(event_id: EventId) -> tuple[EventId, int]:
    """Split a row's id into the id of the reported event and the version."""
    found = _RESTATED.fullmatch(event_id)
    return (EventId(found[2]), int(found[1])) if found else (event_id, 1)


def root_of(event_id: EventId) -> EventId:
    """The id of the reported event that a version or a void row belongs to."""
    return version_of(EventId(event_id.removeprefix(_VOID)))[0]


def voided(event: UsageEvent, amendment_id: str) -> UsageEvent:
    """The row that voids an event."""
    return replace(
        event,
        event_id=void_id(event.event_id),
        amends=event.event_id,
        amendment=Amendment.VOID,
        amendment_id=amendment_id,
    )


def restated(event: UsageEvent, amendment_id: str, instead: UsageEvent) -> list[UsageEvent]:
    """The rows that replace an event: its void row and its new version."""
    root, version = version_of(event.event_id)
    following = replace(
        instead,
        event_id=version_id(root, version + 1),
        amends=event.event_id,
        amendment=Amendment.RESTATE,
        amendment_id=amendment_id,
    )
    return [voided(event, amendment_id), following]


def as_repeat(event: UsageEvent, counted_id: EventId) -> UsageEvent:
    """The event marked as a repeated report: its answer is already counted under another id."""
    return replace(event, amends=counted_id, amendment=Amendment.REPEAT)


def standing(rows: Iterable[UsageEvent]) -> list[UsageEvent]:
    """The rows that still count: those that no amendment among the given rows voids."""
    events = list(rows)
    gone = {event.amends for event in events if event.amendment == Amendment.VOID}
    return [event for event in events if SIGN[event.amendment] > 0 and event.event_id not in gone]

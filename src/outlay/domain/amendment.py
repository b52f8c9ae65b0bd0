"""Rows that amend others: their ids, and how they are made.

A row of the ledger is never changed. What was wrong about one is taken back by a second row and,
where there is something in its place, said anew by a third. Ids of such rows follow from the id of
what they amend, so that nothing can be taken back twice, by whomever.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from outlay.domain.event import SIGN, Amendment, UsageEvent

RESERVED: Final = "amendment:"
"""How ids of amendments begin; no sender may give such an id to an event."""

_RESTATED: Final = re.compile(rf"{RESERVED}(\d+):(.*)", re.DOTALL)


def void_id(event_id: str) -> str:
    """The id of the row that takes back the one with an id."""
    return f"{RESERVED}void:{event_id}"


def version_id(root: str, version: int) -> str:
    """The id of a version of an event; the first is the event as it was reported."""
    return root if version == 1 else f"{RESERVED}{version}:{root}"


def version_of(event_id: str) -> tuple[str, int]:
    """The id under which an event was reported, and which version of it a row is."""
    found = _RESTATED.fullmatch(event_id)
    return (found[2], int(found[1])) if found else (event_id, 1)


def root_of(event_id: str) -> str:
    """The id under which an event was reported, of a row about it: a version, or one taken back."""
    return version_of(event_id.removeprefix(void_id("")))[0]


def voided(event: UsageEvent, amendment_id: str) -> UsageEvent:
    """The row that takes an event back."""
    return replace(
        event,
        event_id=void_id(event.event_id),
        amends=event.event_id,
        amendment=Amendment.VOID,
        amendment_id=amendment_id,
    )


def restated(event: UsageEvent, amendment_id: str, instead: UsageEvent) -> list[UsageEvent]:
    """The rows that put another version in the place of an event: it, taken back, and that one."""
    root, version = version_of(event.event_id)
    following = replace(
        instead,
        event_id=version_id(root, version + 1),
        amends=event.event_id,
        amendment=Amendment.RESTATE,
        amendment_id=amendment_id,
    )
    return [voided(event, amendment_id), following]


def as_witness(event: UsageEvent, counted_id: str) -> UsageEvent:
    """A report of an answer that is counted under another id."""
    return replace(event, amends=counted_id, amendment=Amendment.WITNESS)


def standing(rows: Iterable[UsageEvent]) -> list[UsageEvent]:
    """Those of some rows that count: no amendment among them takes them back."""
    events = list(rows)
    gone = {event.amends for event in events if event.amendment == Amendment.VOID}
    return [event for event in events if SIGN[event.amendment] > 0 and event.event_id not in gone]

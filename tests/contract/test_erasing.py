"""Identities are removed a few rows at a time, and the ledger is intact after every step."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
from tests.factories import NOW, make_event

from outlay.domain.errors import Damaged
from outlay.domain.event import UsageEvent
from outlay.domain.ids import EventId, OrganizationId
from outlay.kit.clock import to_us
from outlay.storage.ledger import erasing
from outlay.storage.ledger.erasing import Drafts, Pace, Replacement
from outlay.storage.ledger.rows import from_row
from outlay.storage.ledger.store import Ledger

LATER = to_us(NOW) + 1


def stored(ledger: Ledger) -> list[UsageEvent]:
    return [from_row(row) for batch in ledger.read_batches(0) for row in batch.rows]


def seven_at_a_time(pace: Pace, _: float) -> None:
    pace.rows = 7


@pytest.fixture
def steps(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of end users left after each step of seven rows; all batches were intact."""
    monkeypatch.setattr(erasing, "FIRST_ROWS", 7)
    monkeypatch.setattr(Pace, "note", seven_at_a_time)
    monkeypatch.setattr(Pace, "rest", lambda *_: left.append(count()))
    left: list[int] = []

    def count() -> int:
        return sum(event.end_user not in {"", "gone"} for event in stored(ledger))

    return left


def fill(ledger: Ledger) -> list[UsageEvent]:
    """Add a large batch, small ones, and events of another organization in between."""
    events = [make_event(end_user=f"user-{number % 5}") for number in range(40)]
    events[20:20] = [make_event(organization_id="org_other", end_user="user-1")]
    ledger.append(events)
    for number in range(9):
        events.append(make_event(end_user="", user_id=f"USER-{number % 2}"))
        ledger.append(events[-1:])
    return events


def test_end_users_are_erased_in_batches(ledger: Ledger, steps: list[int]) -> None:
    events = fill(ledger)

    assert ledger.forget_end_users(OrganizationId("org_test"), LATER) == 40

    assert steps == [34, 27, 20, 13, 6, 1]
    assert stored(ledger) == [
        replace(event, end_user="") if event.organization_id == "org_test" else event
        for event in events
    ]
    assert ledger.forget_end_users(OrganizationId("org_test"), LATER) == 0


def test_erasure_removes_one_person_everywhere(ledger: Ledger, steps: list[int]) -> None:
    events = fill(ledger)
    taken = replace(events[0], end_user="other", app="else")
    ledger.append([taken])

    assert ledger.forget(OrganizationId("org_test"), "User-1", "gone") == 8 + 4

    def without(event: UsageEvent) -> UsageEvent:
        if event.organization_id != "org_test":
            return event
        return replace(
            event,
            end_user="gone" if event.end_user == "user-1" else event.end_user,
            user_id="gone" if event.user_id == "USER-1" else event.user_id,
        )

    assert stored(ledger) == [without(event) for event in events]


def test_refused_event_is_rewritten_and_counted(ledger: Ledger) -> None:
    event = make_event()
    ledger.append([event, replace(event, end_user="Ada")])
    edition = ledger.edition

    assert ledger.forget(OrganizationId("org_test"), "ada", "gone") == 0

    assert "gone" in ledger.read_conflicts()[0][5]
    assert ledger.edition != edition


def test_erasure_stops_when_requested(ledger: Ledger, steps: list[int]) -> None:
    fill(ledger)
    stop = Event()
    stop.set()

    assert ledger.forget_end_users(OrganizationId("org_test"), LATER, stop) == 0
    assert steps == []


def test_damaged_batch_is_skipped_and_others_are_erased(
    ledger: Ledger, damage: Callable[[str], None]
) -> None:
    for number in range(3):
        ledger.append([make_event(event_id=f"{number}", end_user="ada", cost_pusd=1)])
    damage("UPDATE usage_event SET cost_pusd = 2 WHERE event_id = '1'")

    with pytest.raises(Damaged, match="Batch 2"):
        ledger.forget_end_users(OrganizationId("org_test"), LATER)

    with pytest.raises(Damaged, match="Batch 2"):
        stored(ledger)
    for name in ("0", "2"):
        (found,) = ledger.read_history(OrganizationId("org_test"), EventId(name))
        assert found.event.end_user == ""


def test_batch_rewritten_concurrently_is_read_again(
    ledger: Ledger, open_ledger: Callable[[], Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.append([make_event(end_user=name) for name in ("ada", "bob", "ada", "eve")])
    honest = Drafts.replacements
    others = ["bob", "eve"]
    overtaking = threading.Lock()

    def overtaken(drafts: Drafts, sequences: Sequence[int]) -> list[Replacement]:
        found = honest(drafts, sequences)
        if others and overtaking.acquire(blocking=False):  # otherwise this is the overtaking one
            ledger.forget(OrganizationId("org_test"), others.pop(), "gone-before")
            overtaking.release()
        return found

    monkeypatch.setattr(Drafts, "replacements", overtaken)

    assert ledger.forget(OrganizationId("org_test"), "ada", "gone") == 2
    names: list[Any] = [event.end_user for event in stored(ledger)]
    assert names == ["gone", "gone-before", "gone", "gone-before"]


def test_pace_adapts_to_measured_durations() -> None:
    pace = Pace(None)
    for _ in range(10):
        pace.note(0.0)
    assert pace.rows == erasing.MAX_ROWS
    for _ in range(10):
        pace.note(1.0)
    assert pace.rows == erasing.MIN_ROWS
    pace.note(erasing.LOCK_SECONDS)
    assert pace.rows == erasing.MIN_ROWS

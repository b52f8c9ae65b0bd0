"""Displayed single events have been checked, on every engine."""

import threading
from collections.abc import Callable
from functools import partial

import pytest
from tests.factories import NOW, make_event

from outlay.domain.errors import Damaged
from outlay.domain.ids import EventId, OrganizationId
from outlay.kit.clock import to_us
from outlay.storage.ledger import reading as reading_module
from outlay.storage.ledger.checking import CheckedBatches
from outlay.storage.ledger.log import NEWEST_FIRST, LogFilter, LoggedEvent
from outlay.storage.ledger.store import Ledger

Damage = Callable[[str], None]


def log(ledger: Ledger, organization_id: str = "org_test", limit: int = 50) -> list[LoggedEvent]:
    wanted = LogFilter(
        organization_id=OrganizationId(organization_id), start_us=0, end_us=2**62, through_seq=2**62
    )
    positions = ledger.read_positions(wanted, NEWEST_FIRST, None, limit)
    return ledger.read_logged(OrganizationId(organization_id), positions)


@pytest.mark.parametrize("is_warm", [True, False])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE usage_event SET cost_pusd = cost_pusd + 1 WHERE event_id = 'shown'",
        "UPDATE usage_event SET is_stream = 1 - is_stream WHERE event_id = 'shown'",
        "UPDATE usage_event SET recorded_at_us = recorded_at_us + 1 WHERE event_id = 'shown'",
        "UPDATE usage_batch SET checksum = restated WHERE batch_id = 1",
        "DELETE FROM usage_batch WHERE batch_id = 2",
    ],
)
def test_row_with_a_wrong_checksum_is_never_shown(
    ledger: Ledger, damage: Damage, statement: str, is_warm: bool
) -> None:
    ledger.append([make_event(event_id="first", end_user="ada")])
    ledger.append([make_event(event_id="beside"), make_event(event_id="shown")])
    ledger.forget_end_users(OrganizationId("org_test"), to_us(NOW) + 1)
    if is_warm:
        assert len(log(ledger)) == 3
        assert ledger.read_history(OrganizationId("org_test"), EventId("shown"))

    damage(statement)

    with pytest.raises(Damaged, match=r"Batch 2 .*Restore a backup|in no batch"):
        log(ledger)
    with pytest.raises(Damaged):
        ledger.read_history(OrganizationId("org_test"), EventId("shown"))


def test_damage_hides_only_its_own_batch(ledger: Ledger, damage: Damage) -> None:
    ledger.append([make_event(event_id="whole")])
    ledger.append([make_event(event_id="damaged"), make_event(event_id="beside")])
    damage("UPDATE usage_event SET input_tokens = 9 WHERE event_id = 'damaged'")

    assert ledger.read_history(OrganizationId("org_test"), EventId("whole"))
    with pytest.raises(Damaged):
        ledger.read_history(OrganizationId("org_test"), EventId("beside"))
    assert ledger.append([make_event(event_id="later")])
    assert ledger.read_history(OrganizationId("org_test"), EventId("later"))


def test_batch_of_several_organizations_is_checked_as_a_whole(
    ledger: Ledger, damage: Damage
) -> None:
    ledger.append([make_event(event_id="a"), make_event(event_id="b", organization_id="org_other")])

    assert [entry.event.event_id for entry in log(ledger)] == ["a"]
    assert [entry.event.event_id for entry in log(ledger, "org_other")] == ["b"]


def test_page_can_span_distant_batches(
    open_ledger: Callable[[], Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_module, "READ_EVENTS", 5)
    few = partial(CheckedBatches, capacity=4)
    monkeypatch.setattr(reading_module, "CheckedBatches", few)
    ledger = open_ledger()
    for number in range(12):
        app = "rare" if number in {1, 2, 5, 11} else "common"
        ledger.append([make_event(event_id=f"{number}-{part}", app=app) for part in range(3)])

    assert len(log(ledger, limit=50)) == 36
    assert len(log(ledger, limit=7)) == 7


def test_erasure_concurrent_with_readers_is_not_reported_as_damage(ledger: Ledger) -> None:
    for number in range(12):
        ledger.append([make_event(end_user=f"user-{number}") for _ in range(40)])
    faults: list[Exception] = []
    is_done = threading.Event()

    def read() -> None:
        try:
            while not is_done.is_set():
                assert len(log(ledger, limit=500)) == 480
        except Exception as error:
            faults.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(12):
        ledger.forget(OrganizationId("org_test"), f"user-{number}", f"gone-{number}")
    is_done.set()
    for reader in readers:
        reader.join()

    assert faults == []

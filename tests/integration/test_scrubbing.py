"""Everything is read once a week: damage is reported, even if a round is interrupted."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pysqlite3
import pytest
from tests.clocks import FixedClock
from tests.factories import NOW, make_event
from typing_extensions import override

from outlay.bootstrap.installation import open_installation
from outlay.domain.ids import OrganizationId
from outlay.domain.organization import operator_of
from outlay.kit.clock import to_us
from outlay.services.bundle import Services
from outlay.services.upkeep import scrubbing as scrubbing_module
from outlay.settings import Settings
from outlay.storage.ledger import scrubbing as pieces_module
from outlay.storage.nodes import OneNode

Run = Callable[[str], None]


@pytest.fixture
def run(services: Services) -> Run:
    """Runs a statement outside the installation."""

    def run(statement: str) -> None:
        connection = pysqlite3.connect(services.settings.database_path)
        connection.executescript(statement)
        connection.close()

    return run


@pytest.fixture
def filled(services: Services) -> Services:
    operator_of(services.administration.organizations.create("Acme"))
    for number in range(12):
        services.ledger.append([make_event(event_id=f"{number}-{part}") for part in range(3)])
    taken = make_event(event_id="taken", end_user="ada")
    services.ledger.append([taken, replace(taken, app="other")])
    return services


def round_of(services: Services) -> list[str]:
    assert services.scrubbing.run_some(60.0)
    return services.scrubbing.state.found


def test_intact_data_has_no_faults(filled: Services) -> None:
    assert round_of(filled) == []
    assert filled.scrubbing.state.finished_at_us == to_us(NOW)

    filled.ledger.forget(OrganizationId("org_test"), "ada", "gone_1")
    assert round_of(filled) == []


@pytest.mark.parametrize(
    ("statement", "mend", "named"),
    [
        (
            "UPDATE usage_event SET cost_pusd = cost_pusd + 1 WHERE event_id = '3-1'",
            "UPDATE usage_event SET cost_pusd = cost_pusd - 1 WHERE event_id = '3-1'",
            "Batch 4 ",
        ),
        (
            "UPDATE usage_batch SET recorded_at_us = recorded_at_us + 1 WHERE batch_id = 2",
            "UPDATE usage_batch SET recorded_at_us = recorded_at_us - 1 WHERE batch_id = 2",
            "Batch 2 ",
        ),
        (
            "UPDATE usage_batch SET batch_id = 99 WHERE batch_id = 7",
            "UPDATE usage_batch SET batch_id = 7 WHERE batch_id = 99",
            "Batch 99 ",
        ),
        (
            "UPDATE usage_conflict SET offered_facts = replace(offered_facts, 'other', 'othes')",
            "UPDATE usage_conflict SET offered_facts = replace(offered_facts, 'othes', 'other')",
            "Refused event 1 ",
        ),
        (
            "UPDATE organization SET name = name || 'x'",
            "UPDATE organization SET name = rtrim(name, 'x')",
            "of organization in the directory",
        ),
        (
            'DROP TRIGGER "audit_entry#no_update"; '
            "UPDATE audit_entry SET author_id = author_id || 'x'",
            "UPDATE audit_entry SET author_id = rtrim(author_id, 'x')",
            "differs from what was recorded",
        ),
    ],
)
def test_damage_is_named_until_it_is_repaired(
    filled: Services, run: Run, statement: str, mend: str, named: str
) -> None:
    run(statement)

    assert any(named in fault for fault in round_of(filled))

    run(mend)
    assert round_of(filled) == []


def test_every_damaged_batch_is_named(filled: Services, run: Run) -> None:
    run("UPDATE usage_event SET model = 'x' WHERE event_id IN ('1-0', '5-2', '11-1')")
    run("DELETE FROM usage_batch WHERE batch_id = 9")

    found = round_of(filled)

    for named in ("Batch 2 ", "Batch 6 ", "Batch 12 ", "Events 25 to 27 "):
        assert any(named in fault for fault in found), named
    run("UPDATE usage_event SET model = 'gpt-5.5' WHERE model = 'x'")


def test_round_continues_after_a_restart(
    tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces_module, "HEADS", 2)
    monkeypatch.setattr(scrubbing_module, "SAVE_SECONDS", 0.0)
    positions = []
    with open_installation(Settings(data=tmp_path), clock) as services:
        for _ in range(9):
            services.ledger.append([make_event()])
        for _ in range(3):
            assert not services.scrubbing.run_some(0.0)
            positions.append(services.scrubbing.state.position)
    with open_installation(Settings(data=tmp_path), clock) as services:
        assert services.scrubbing.state.position == positions[-1]
        while not services.scrubbing.run_some(0.0):
            positions.append(services.scrubbing.state.position)
        assert services.scrubbing.state.begun_at_us is None

    assert positions[:4] == [2, 4, 6, 8]


def test_round_is_due_after_a_week_or_a_fast_clock(filled: Services, clock: FixedClock) -> None:
    scrubbing = filled.scrubbing
    assert scrubbing.is_due()
    round_of(filled)
    assert not scrubbing.is_due()
    clock.instant = NOW + timedelta(days=6, hours=23)
    assert not scrubbing.is_due()
    clock.instant = NOW + timedelta(days=7)
    assert scrubbing.is_due()
    clock.instant = NOW - timedelta(hours=1)
    assert scrubbing.is_due()


def test_only_the_leader_scrubs_with_a_small_share(
    filled: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    scrubbing = filled.scrubbing
    waits: list[float] = []

    class Stop(threading.Event):
        @override
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            if scrubbing.state.finished_at_us is not None or len(waits) > 500:
                self.set()
            return self.is_set()

    monkeypatch.setattr(OneNode, "lead", lambda _: len(waits) > 1)
    scrubbing.run(Stop())

    assert waits[:2] == [scrubbing_module.LOOK_SECONDS] * 2
    assert scrubbing.state.finished_at_us == to_us(NOW)
    assert scrubbing.state.found == []
    assert len(waits) > 20

"""Skipped telemetry is counted by name, with a bounded number of names."""

from datetime import timedelta

from tests.clocks import FixedClock
from tests.factories import NOW

from outlay.domain.ids import OrganizationId
from outlay.kit.clock import to_us
from outlay.services.recording.skipped_telemetry import (
    MAX_KINDS,
    MAX_NAME,
    OTHERS,
    Reason,
    SkippedKind,
    SkippedTelemetry,
)


def test_losses_come_first_then_the_most_frequent(clock: FixedClock) -> None:
    skipped = SkippedTelemetry(clock)
    elsewhere = SkippedKind(Reason.COUNTED_ELSEWHERE, "lib", "chain")
    loss, rare = SkippedKind(Reason.NO_CALL, "lib", "tool"), SkippedKind(Reason.REJECTED, "", "x")
    skipped.note(OrganizationId("org"), [elsewhere] * 5 + [loss] * 2 + [rare])
    clock.instant += timedelta(seconds=1)
    skipped.note(OrganizationId("org"), [loss])

    counts = skipped.counts(OrganizationId("org"))
    assert [(one.kind, one.count) for one in counts] == [(loss, 3), (rare, 1), (elsewhere, 5)]
    assert (counts[0].first_us, counts[0].last_us) == (to_us(NOW), to_us(NOW) + 1_000_000)
    assert skipped.counts(OrganizationId("other")) == []


def test_names_are_bounded_for_each_reason(clock: FixedClock) -> None:
    skipped = SkippedTelemetry(clock)
    skipped.note(
        OrganizationId("org"), [SkippedKind(Reason.NO_CALL, f"lib{n}", "x") for n in range(500)]
    )
    skipped.note(OrganizationId("org"), [SkippedKind(Reason.REJECTED, "y" * 1_000, "z" * 1_000)])

    counts = skipped.counts(OrganizationId("org"))
    assert len(counts) == MAX_KINDS + 2
    assert max(counts, key=lambda one: one.count).kind.instrumentation == OTHERS
    assert sum(one.count for one in counts) == 501
    assert max(len(one.kind.operation) for one in counts) == MAX_NAME


def test_every_reason_has_a_label() -> None:
    assert all(reason.label for reason in Reason)

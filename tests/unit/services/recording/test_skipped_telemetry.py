"""What is passed over is counted by name, for a bounded number of names."""

from datetime import timedelta

from tests.clocks import FixedClock
from tests.factories import NOW

from outlay.kit.clock import to_us
from outlay.services.recording.skipped_telemetry import (
    MAX_KINDS,
    MAX_NAME,
    OTHERS,
    PassedKind,
    PassedOver,
    Reason,
)


def test_losses_come_first_then_what_is_most_frequent(clock: FixedClock) -> None:
    passed = PassedOver(clock)
    elsewhere = PassedKind(Reason.COUNTED_ELSEWHERE, "lib", "chain")
    loss, rare = PassedKind(Reason.NO_CALL, "lib", "tool"), PassedKind(Reason.REJECTED, "", "x")
    passed.note("org", [elsewhere] * 5 + [loss] * 2 + [rare])
    clock.instant += timedelta(seconds=1)
    passed.note("org", [loss])

    counts = passed.counts("org")
    assert [(one.kind, one.count) for one in counts] == [(loss, 3), (rare, 1), (elsewhere, 5)]
    assert (counts[0].first_us, counts[0].last_us) == (to_us(NOW), to_us(NOW) + 1_000_000)
    assert passed.counts("other") == []


def test_names_are_bounded_for_each_reason(clock: FixedClock) -> None:
    passed = PassedOver(clock)
    passed.note("org", [PassedKind(Reason.NO_CALL, f"lib{n}", "x") for n in range(500)])
    passed.note("org", [PassedKind(Reason.REJECTED, "y" * 1_000, "z" * 1_000)])

    counts = passed.counts("org")
    assert len(counts) == MAX_KINDS + 2
    assert max(counts, key=lambda one: one.count).kind.instrumentation == OTHERS
    assert sum(one.count for one in counts) == 501
    assert max(len(one.kind.operation) for one in counts) == MAX_NAME


def test_every_reason_has_a_label() -> None:
    assert all(reason.label for reason in Reason)

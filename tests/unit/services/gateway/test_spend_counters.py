"""Spend counters in memory: what fits, what counts, and its cost."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, cast

import pytest
from tests.clocks import FixedClock
from tests.factories import NOW, make_event

from outlay.domain.ids import OrganizationId
from outlay.domain.money import Pusd
from outlay.domain.spend_limit import (
    CounterKey,
    Hold,
    LimitInterval,
    LimitScope,
    SpendLimit,
)
from outlay.kit.clock import in_us, to_us
from outlay.services.gateway import spend_counters
from outlay.services.gateway.spend_counters import LocalCounters
from outlay.storage.ledger.rows import EventRow, to_row
from outlay.storage.ledger.spending import is_within
from outlay.storage.ledger.store import Ledger

DAY_US = in_us(timedelta(days=1))
START_US = to_us(NOW) - DAY_US // 2


class Commits:
    """The part of a ledger that counters use."""

    def __init__(self) -> None:
        self.tell: Callable[[Sequence[EventRow]], None] = lambda _: None

    def on_commit(self, listener: Callable[[Sequence[EventRow]], None]) -> None:
        """Set the only listener."""
        self.tell = listener

    def append(self, seq: int, cost: int, **changes: Any) -> None:
        """Commit one event."""
        values = {"api_key_id": "key_1", "project_id": "prj_1", "member_id": "mem_1"}
        event = make_event(**{**values, "cost_pusd": cost, **changes})
        self.tell([to_row(event, seq, 1)])


@pytest.fixture
def commits() -> Commits:
    return Commits()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def counters(commits: Commits, clock: FixedClock) -> LocalCounters:
    return LocalCounters(cast(Ledger, commits), clock)


def key_of(scope: LimitScope = LimitScope.API_KEY, scope_id: str = "key_1") -> CounterKey:
    return CounterKey(OrganizationId("org_test"), scope, scope_id, START_US, START_US + DAY_US)


def hold_of(amount: int, limit: int, key: CounterKey | None = None) -> Hold:
    key = key or key_of()
    wanted = SpendLimit(
        organization_id=key.organization_id,
        scope=key.scope,
        scope_id=key.scope_id,
        interval=LimitInterval.DAY,
        amount_pusd=Pusd(limit),
    )
    return Hold(key, wanted, amount)


def spent(counters: LocalCounters, key: CounterKey | None = None) -> int:
    """The spent amount, read from the refusal of an amount above any limit."""
    refused = counters.hold([hold_of(10**18, 0, key)], to_us(NOW))
    assert refused is not None
    return refused.spent_pusd


def test_request_that_fits_exactly_is_admitted(counters: LocalCounters, commits: Commits) -> None:
    counters.start(key_of(), lambda: (0, 30))
    commits.append(1, 20)
    assert counters.hold([hold_of(51, 100)], to_us(NOW)) is not None
    assert counters.hold([hold_of(50, 100)], to_us(NOW)) is None
    assert counters.hold([hold_of(1, 100)], to_us(NOW)) is not None
    counters.release([hold_of(50, 100)])
    assert counters.hold([hold_of(50, 100)], to_us(NOW)) is None


def test_commits_around_the_first_sum_count_once(counters: LocalCounters, commits: Commits) -> None:
    """The sum is computed at position 3 while 3 and 4 are committed, before and after it."""

    def first() -> tuple[int, int]:
        commits.append(3, 100)
        commits.append(4, 1_000)
        return 3, 111

    counters.start(key_of(), first)
    assert spent(counters) == 1_111
    commits.append(2, 10)  # notified late, and included in the sum
    commits.append(5, 10_000)
    assert spent(counters) == 11_111


def test_second_start_of_a_counter_changes_nothing(
    counters: LocalCounters, commits: Commits
) -> None:
    counters.start(key_of(), lambda: (1, 10))
    commits.append(2, 5)
    counters.start(
        key_of(), lambda: (1, 99)
    )  # another one that began at the same time, a moment later
    assert spent(counters) == 15


def test_only_events_of_the_owner_and_interval_count(
    counters: LocalCounters, commits: Commits
) -> None:
    keys = [
        key_of(),
        key_of(LimitScope.PROJECT, "prj_1"),
        key_of(LimitScope.MEMBER, "mem_1"),
        key_of(LimitScope.MEMBER, "key_1"),
    ]
    for key in keys:
        counters.start(key, lambda: (0, 0))
    commits.append(1, 1)
    commits.append(2, 10, api_key_id="key_2")
    commits.append(3, 100, project_id="", member_id="")
    commits.append(4, 1_000, organization_id="org_other")
    commits.append(5, 10_000, event_time_us=START_US - 1)
    commits.append(6, 100_000, event_time_us=START_US + DAY_US)
    commits.append(7, 1_000_000, event_time_us=START_US)
    assert [spent(counters, key) for key in keys] == [1_000_101, 1_000_011, 1_000_011, 0]


@pytest.mark.parametrize("others", [0, 5_000])
def test_event_updates_only_its_own_counters(
    counters: LocalCounters,
    commits: Commits,
    monkeypatch: pytest.MonkeyPatch,
    others: int,
) -> None:
    looks: list[CounterKey] = []

    def look(row: EventRow, key: CounterKey) -> bool:
        looks.append(key)
        return is_within(row, key)

    counters.start(key_of(), lambda: (0, 0))
    for number in range(others):
        counters.start(key_of(scope_id=f"other_{number}"), lambda: (0, 0))
    monkeypatch.setattr(spend_counters, "is_within", look)
    commits.append(1, 1)
    assert looks == [key_of()]


def test_counters_of_past_days_are_dropped_without_reservations(
    counters: LocalCounters, clock: FixedClock
) -> None:
    old, held = key_of(), key_of(scope_id="held")
    for key in (old, held):
        counters.start(key, lambda: (0, 0))
    assert counters.hold([hold_of(1, 1, held)], to_us(NOW)) is None
    clock.instant += timedelta(days=1)
    start_us = START_US + DAY_US
    new = key_of()._replace(start_us=start_us, end_us=start_us + DAY_US)
    counters.start(new, lambda: (0, 0))
    assert not counters.is_ready(old)
    assert counters.is_ready(held)
    counters.release([hold_of(1, 1, held)])
    clock.instant += timedelta(days=1)
    newer = new._replace(start_us=start_us + DAY_US, end_us=start_us + 2 * DAY_US)
    counters.start(newer, lambda: (0, 0))
    assert [counters.is_ready(key) for key in (held, new, newer)] == [False, False, True]
    assert counters._by_owner.keys() == {("org_test", LimitScope.API_KEY, "key_1")}

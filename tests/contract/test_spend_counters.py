"""Counters of spend limits, in memory and in the database: nothing twice, nothing left out."""

import itertools

import pytest
from tests.factories import NOW, make_event

from outlay.domain.errors import OutlayError
from outlay.domain.event import UsageEvent
from outlay.domain.spend_limit import CounterKey, Hold, LimitInterval, LimitScope, SpendLimit
from outlay.kit.clock import FixedClock, to_us
from outlay.services.spend_counters import LocalCounters, SharedCounters, SpendCounters
from outlay.storage.ledger.rows import Intent
from outlay.storage.ledger.store import Ledger

DAY_US = 86_400_000_000
START_US = to_us(NOW) // DAY_US * DAY_US
KEY = CounterKey("org_test", LimitScope.API_KEY, "key_1", START_US, START_US + DAY_US)
_numbers = itertools.count(1)


@pytest.fixture
def counters(ledger: Ledger, clock: FixedClock) -> SpendCounters:
    if ledger.spending is None:
        return LocalCounters(ledger, clock)
    return SharedCounters(ledger.spending)


def spent(pusd: int) -> UsageEvent:
    """A request of the key that cost so much."""
    return make_event(api_key_id="key_1", cost_pusd=pusd)


def hold(
    ledger: Ledger, counters: SpendCounters, limit_pusd: int, amount_pusd: int
) -> Intent | None:
    """Hold an amount against a limit as a request does; None when there is no room."""
    limit = SpendLimit(
        organization_id="org_test",
        scope=LimitScope.API_KEY,
        scope_id="key_1",
        interval=LimitInterval.DAY,
        amount_pusd=limit_pusd,
    )
    holds = (Hold(KEY, limit, amount_pusd),)
    if counters.hold(holds, to_us(NOW)) is not None:
        return None
    refused: list[OutlayError] = []
    intent = Intent("org_test", f"request-{next(_numbers)}", b"", holds)
    ledger.submit([], intents=[intent], refused=lambda _, why: refused.append(why)).result(20)
    return None if refused else intent


def release(ledger: Ledger, counters: SpendCounters, intent: Intent) -> None:
    """The request is over."""
    ledger.submit([], settled=[intent[:2]]).result(20)
    counters.release(intent.holds)


def fits(ledger: Ledger, counters: SpendCounters, limit_pusd: int, amount_pusd: int) -> bool:
    """Whether a limit has room for an amount; nothing stays held."""
    held = hold(ledger, counters, limit_pusd, amount_pusd)
    if held is not None:
        release(ledger, counters, held)
    return held is not None


def check_spent(ledger: Ledger, counters: SpendCounters, pusd: int) -> None:
    """A limit of that much and a little more has room for that little, and not for more."""
    assert fits(ledger, counters, pusd + 10, 10)
    assert not fits(ledger, counters, pusd + 10, 11)


def test_a_request_that_fits_exactly_is_let_through(
    ledger: Ledger, counters: SpendCounters
) -> None:
    counters.start(KEY, lambda: (ledger.newest_seq(), 0))

    assert fits(ledger, counters, 1_000, 1_000)
    assert not fits(ledger, counters, 1_000, 1_001)
    ledger.append([spent(400)])
    assert fits(ledger, counters, 1_000, 600)
    assert not fits(ledger, counters, 1_000, 601)


def test_what_is_held_takes_room_until_its_request_is_over(
    ledger: Ledger, counters: SpendCounters
) -> None:
    counters.start(KEY, lambda: (ledger.newest_seq(), 0))
    first = hold(ledger, counters, 1_000, 600)
    assert first is not None
    assert not fits(ledger, counters, 1_000, 401)
    second = hold(ledger, counters, 1_000, 400)
    assert second is not None
    assert not fits(ledger, counters, 1_000, 1)

    release(ledger, counters, first)
    assert fits(ledger, counters, 1_000, 600)
    assert not fits(ledger, counters, 1_000, 601)
    release(ledger, counters, second)
    assert fits(ledger, counters, 1_000, 1_000)


def test_what_is_committed_around_the_first_sum_counts_once(
    ledger: Ledger, counters: SpendCounters
) -> None:
    def first() -> tuple[int, int]:
        ledger.append([spent(1_000)])  # noted by the counter, and in the sum
        position = ledger.newest_seq()
        ledger.append([spent(20)])  # noted, and behind the sum
        return position, 7_000 + 1_000

    ledger.append([spent(7_000)])
    counters.start(KEY, first)
    assert counters.is_ready(KEY)
    check_spent(ledger, counters, 8_020)

    ledger.append([spent(300)])
    check_spent(ledger, counters, 8_320)
    counters.start(KEY, lambda: (ledger.newest_seq(), 99_999))  # it has begun: nothing changes
    check_spent(ledger, counters, 8_320)


def test_a_commit_that_is_told_after_the_sum_it_is_in_counts_once(
    ledger: Ledger, clock: FixedClock
) -> None:
    if ledger.spending is not None:
        pytest.skip("there the database counts in the transaction itself")
    counters = LocalCounters(ledger, clock)
    starting: list[None] = []

    def start_before_counters_hear_of_it(_: object) -> None:
        if not starting:
            starting.append(None)
            counters.start(KEY, lambda: (ledger.last_seq, 500))

    ledger._listeners.insert(0, start_before_counters_hear_of_it)
    ledger.append([spent(500)])

    check_spent(ledger, counters, 500)


@pytest.mark.parametrize(
    "other",
    [
        make_event(api_key_id="key_2", cost_pusd=5),
        make_event(api_key_id="key_1", organization_id="org_b", cost_pusd=5),
        make_event(api_key_id="key_1", event_time_us=START_US - 1, cost_pusd=5),
        make_event(api_key_id="key_1", event_time_us=START_US + DAY_US, cost_pusd=5),
    ],
    ids=["another key", "another organization", "the day before", "the day after"],
)
def test_only_its_own_spend_counts(
    ledger: Ledger, counters: SpendCounters, other: UsageEvent
) -> None:
    counters.start(KEY, lambda: (ledger.newest_seq(), 0))
    ledger.append([other])

    check_spent(ledger, counters, 0)


def test_the_first_and_the_last_instant_count(ledger: Ledger, counters: SpendCounters) -> None:
    counters.start(KEY, lambda: (ledger.newest_seq(), 0))
    times = (START_US, START_US + DAY_US - 1)
    ledger.append([make_event(api_key_id="key_1", event_time_us=at, cost_pusd=3) for at in times])

    check_spent(ledger, counters, 6)

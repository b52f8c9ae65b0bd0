"""Slowing down password guessing without locking out the account's owner."""

from contextlib import suppress
from datetime import timedelta

import pytest
from tests.clocks import FixedClock

from outlay.domain.errors import TooManyAttempts
from outlay.kit.sealing import Sealer
from outlay.services.access import sign_in_throttle
from outlay.services.access.sign_in_throttle import (
    FREE_OF_ACCOUNT,
    FREE_OF_ACCOUNT_HERE,
    LONGEST_WAIT,
    WINDOW,
    Throttle,
)
from outlay.storage.directory.engine import Directory


@pytest.fixture
def throttle(directory: Directory, clock: FixedClock) -> Throttle:
    return Throttle(directory, Sealer(b"k" * 32), clock)


def fail(throttle: Throttle, times: int, remote: str = "192.0.2.1") -> None:
    for _ in range(times):
        throttle.begin("ada", remote, "")


def test_some_failures_are_free_and_each_further_one_doubles_the_wait(
    throttle: Throttle, clock: FixedClock
) -> None:
    fail(throttle, FREE_OF_ACCOUNT_HERE)
    waits = []
    for _ in range(9):
        with pytest.raises(TooManyAttempts) as refused:
            fail(throttle, 1)
        waits.append(refused.value.retry_after)
        clock.instant += timedelta(seconds=refused.value.retry_after or 0)
        fail(throttle, 1)

    assert waits == [2**number for number in range(9)]
    assert (throttle.attempts, throttle.refused) == (FREE_OF_ACCOUNT_HERE + 9, 9)


def test_nobody_waits_longer_than_a_quarter_of_an_hour(
    throttle: Throttle, clock: FixedClock
) -> None:
    fail(throttle, FREE_OF_ACCOUNT_HERE)
    for _ in range(12):
        clock.instant += LONGEST_WAIT / 12
        with suppress(TooManyAttempts):
            fail(throttle, 1)
    clock.instant += LONGEST_WAIT
    fail(throttle, 1)


def test_refused_attempts_do_not_count(throttle: Throttle, clock: FixedClock) -> None:
    fail(throttle, FREE_OF_ACCOUNT_HERE)
    for _ in range(20):
        with pytest.raises(TooManyAttempts):
            fail(throttle, 1)
    clock.instant += timedelta(seconds=1)
    fail(throttle, 1)


def test_other_places_are_blocked_only_with_the_account(throttle: Throttle) -> None:
    fail(throttle, FREE_OF_ACCOUNT_HERE)
    for number in range(FREE_OF_ACCOUNT - FREE_OF_ACCOUNT_HERE):
        fail(throttle, 1, f"198.51.{number}.1")
    with pytest.raises(TooManyAttempts):
        fail(throttle, 1, "203.0.113.1")


def test_known_browser_is_counted_separately(throttle: Throttle) -> None:
    device = throttle.device_of("ada")
    for number in range(FREE_OF_ACCOUNT):
        fail(throttle, 1, f"198.51.{number}.1")
    with pytest.raises(TooManyAttempts):
        throttle.begin("ada", "203.0.113.1", "")
    with pytest.raises(TooManyAttempts):
        throttle.begin("ada", "203.0.113.1", throttle.device_of("bob"))

    assert throttle.begin("ada", "203.0.113.1", device).failures == 1


def test_success_forgets_failures_and_time_does_too(
    throttle: Throttle, directory: Directory, clock: FixedClock
) -> None:
    fail(throttle, FREE_OF_ACCOUNT_HERE - 1)
    attempt = throttle.begin("ada", "192.0.2.1", "")
    with directory.write() as session:
        throttle.succeed(session, attempt)
    fail(throttle, FREE_OF_ACCOUNT_HERE)
    clock.instant += WINDOW + timedelta(seconds=1)
    fail(throttle, FREE_OF_ACCOUNT_HERE)


def test_attempt_that_fails_for_other_reasons_is_withdrawn(throttle: Throttle) -> None:
    for _ in range(FREE_OF_ACCOUNT_HERE + 3):
        throttle.withdraw(throttle.begin("ada", "192.0.2.1", ""))


def test_addresses_of_one_network_are_one_place(
    throttle: Throttle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in_throttle, "FREE_OF_SSO", 9)
    for number in range(9):
        throttle.begin_sso(f"2001:db8::{number:x}")
    with pytest.raises(TooManyAttempts):
        throttle.begin_sso("2001:db8::ffff")
    throttle.begin_sso("2001:db8:1::1")

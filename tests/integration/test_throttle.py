"""Waiting after failed sign-ins: who waits, for how long, and who does not."""

from datetime import timedelta

import pytest
from tests.clocks import FixedClock
from tests.factories import NOW

from outlay.domain.errors import TooManyAttempts
from outlay.services.access.sign_in_throttle import (
    FREE_OF_ACCOUNT,
    FREE_OF_ACCOUNT_HERE,
    FREE_OF_DEVICE,
    FREE_OF_PLACE,
    FREE_OF_SSO,
    LONGEST_WAIT,
    Throttle,
)
from outlay.services.bundle import Services

ME = "me@example.test"


@pytest.fixture
def throttle(services: Services) -> Throttle:
    """The throttle of a new installation."""
    return services.administration.sign_in.throttle


def fail(throttle: Throttle, times: int, remote: str, account: str = ME, device: str = "") -> None:
    for _ in range(times):
        throttle.begin(account, remote, device)


def wait_for(throttle: Throttle, remote: str, account: str = ME, device: str = "") -> int:
    """The seconds that a client has to wait."""
    with pytest.raises(TooManyAttempts) as refused:
        throttle.begin(account, remote, device)
    return refused.value.retry_after


def test_each_failure_doubles_the_wait_up_to_a_quarter_of_an_hour(
    throttle: Throttle, clock: FixedClock
) -> None:
    fail(throttle, FREE_OF_ACCOUNT_HERE, "192.0.2.1")
    waits = []
    for _ in range(12):
        waits.append(wait_for(throttle, "192.0.2.1"))
        clock.instant += timedelta(seconds=waits[-1])
        fail(throttle, 1, "192.0.2.1")
    assert waits[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert max(waits) == LONGEST_WAIT.total_seconds()


def test_refused_attempts_do_not_extend_the_wait(throttle: Throttle, clock: FixedClock) -> None:
    fail(throttle, FREE_OF_ACCOUNT_HERE + 0, "192.0.2.1")
    for _ in range(100):
        assert wait_for(throttle, "192.0.2.1") == 1
    clock.instant += timedelta(seconds=1)
    fail(throttle, 1, "192.0.2.1")


def test_guessing_from_elsewhere_does_not_block_the_owner(throttle: Throttle) -> None:
    fail(throttle, FREE_OF_ACCOUNT_HERE, "192.0.2.1")
    wait_for(throttle, "192.0.2.1")
    throttle.begin(ME, "192.0.2.2", "")
    throttle.begin(ME, "2001:db8::1", "")


def test_distributed_guessing_does_not_block_a_known_browser(
    throttle: Throttle,
) -> None:
    device = throttle.device_of(ME)
    for number in range(FREE_OF_ACCOUNT):
        throttle.begin(ME, f"192.0.2.{number}", "")
    wait_for(throttle, "198.51.100.1")
    throttle.begin(ME, "198.51.100.1", device)
    wait_for(throttle, "198.51.100.1", device=throttle.device_of("other@example.test"))
    wait_for(throttle, "198.51.100.1", device=device[:-2] + "xx")
    fail(throttle, FREE_OF_DEVICE - 1, "198.51.100.1", device=device)
    wait_for(throttle, "198.51.100.1", device=device)


def test_device_cookie_is_valid_for_half_a_year(throttle: Throttle, clock: FixedClock) -> None:
    device = throttle.device_of(ME)
    clock.instant = NOW + timedelta(days=181)
    fail(throttle, FREE_OF_ACCOUNT_HERE, "192.0.2.1")
    wait_for(throttle, "192.0.2.1", device=device)


def test_one_place_cannot_try_all_accounts(throttle: Throttle) -> None:
    for number in range(FREE_OF_PLACE):
        # All addresses of an IPv6 network may belong to one machine.
        throttle.begin(f"n{number}@example.test", f"2001:db8::{number:x}", "")
    wait_for(throttle, "2001:db8::ffff:1", account="another@example.test")
    throttle.begin("another@example.test", "2001:db8:0:1::1", "")


def test_success_resets_the_failures(services: Services, throttle: Throttle) -> None:
    fail(throttle, FREE_OF_ACCOUNT_HERE - 1, "192.0.2.1")
    attempt = throttle.begin(ME, "192.0.2.1", "")
    with services.directory.write() as session:
        throttle.succeed(session, attempt)
    fail(throttle, FREE_OF_ACCOUNT_HERE, "192.0.2.1")


def test_sso_sign_ins_are_throttled(throttle: Throttle) -> None:
    for _ in range(FREE_OF_SSO):
        throttle.begin_sso("192.0.2.1")
    with pytest.raises(TooManyAttempts):
        throttle.begin_sso("192.0.2.1")
    throttle.begin_sso("192.0.2.2")

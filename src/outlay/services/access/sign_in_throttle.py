"""Throttling of password guessing that does not lock out the account's owner.

Failures are counted per account and place, per account, and per place; a place is an IPv4 address,
or 64 bits of an IPv6 one. Each count has a number of free failures; beyond that, every further one
doubles the time until the next attempt, up to a quarter of an hour. Refused attempts do not count,
so nobody can extend that time for others.

A browser that has signed in to an account before has a sealed device cookie (OWASP) and is counted
separately: guessing from elsewhere does not lock it out.
"""

import base64
import binascii
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from outlay.domain.errors import TooManyAttempts
from outlay.domain.ids import MemberId
from outlay.kit.addresses import neighbourhood_of
from outlay.kit.clock import Clock, in_us, to_us
from outlay.kit.sealing import SealBroken, Sealer
from outlay.kit.secrets import digest_secret
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.session import WriteSession
from outlay.storage.directory.sign_in_failures import (
    create_failures,
    delete_failures,
    find_failures,
)

logger = logging.getLogger(__name__)

WINDOW: Final = timedelta(hours=1)
"""How long a failure counts."""
LONGEST_WAIT: Final = timedelta(minutes=15)
DEVICE_LIFETIME: Final = timedelta(days=180)

FREE_OF_ACCOUNT_HERE: Final = 10
"""Failures of one account from one place."""
FREE_OF_ACCOUNT: Final = 50
"""Failures of one account from anywhere."""
FREE_OF_PLACE: Final = 100
"""Failures from one place, which may be an office with many people."""
FREE_OF_DEVICE: Final = 10
FREE_OF_SSO: Final = 300
"""SSO sign-ins started from one place: each creates a row and queries the provider."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt in progress, which counts as a failure until it succeeds."""

    sources: tuple[bytes, ...]
    """The keys it is counted under; the last one is shared with other accounts."""
    at_us: int
    failures: int
    """Failures of the account, including this one."""


class Throttle:
    """Admits sign-in attempts or refuses them with a waiting time. Not for event loops."""

    def __init__(self, directory: Directory, sealer: Sealer, clock: Clock) -> None:
        self._directory = directory
        self._sealer = sealer
        self._clock = clock
        self.attempts = 0
        self.refused = 0
        """Attempts refused since the start, for the metrics."""

    def begin(self, account: str, remote: str, device: str) -> Attempt:
        """Admit an attempt at an account; raises TooManyAttempts with the waiting time.

        `remote` is the client's address and `device` the browser's value from `device_of`, if any.
        """
        place = neighbourhood_of(remote)
        if self._is_known(device, account):
            own = _source("device", device)
            try:
                return self._begin({own: FREE_OF_DEVICE}, own)
            except TooManyAttempts:
                logger.debug("a known browser has failed too often; it is treated like any other")
        overall = _source("account", account)
        limits = {
            _source("account-here", f"{account} {place}"): FREE_OF_ACCOUNT_HERE,
            overall: FREE_OF_ACCOUNT,
            _source("place", place): FREE_OF_PLACE,
        }
        return self._begin(limits, overall)

    def begin_own(self, member_id: MemberId) -> Attempt:
        """Like `begin`, when a signed-in member has to repeat the password."""
        source = _source("own", member_id)
        return self._begin({source: FREE_OF_ACCOUNT_HERE}, source)

    def begin_sso(self, remote: str) -> None:
        """Admit an SSO sign-in; raises TooManyAttempts."""
        source = _source("sso", neighbourhood_of(remote))
        self._begin({source: FREE_OF_SSO}, source)

    def succeed(self, session: WriteSession, attempt: Attempt) -> None:
        """Delete the failures of an account, and this attempt from its place's count."""
        *own, shared = attempt.sources
        for source in own or [shared]:
            delete_failures(session, source)
        if own:
            delete_failures(session, shared, attempt.at_us)

    def withdraw(self, attempt: Attempt) -> None:
        """Delete an attempt that failed for reasons outside the client's control."""
        with self._directory.write() as session:
            for source in attempt.sources:
                delete_failures(session, source, attempt.at_us)

    def device_of(self, account: str) -> str:
        """The device cookie for a browser that has signed in to an account."""
        issued = str(to_us(self._clock.now()))
        sealed = self._sealer.seal(issued, _place_of_device(account))
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def _is_known(self, device: str, account: str) -> bool:
        try:
            sealed = base64.urlsafe_b64decode(device + "=" * (-len(device) % 4))
            issued_us = int(self._sealer.open(sealed, _place_of_device(account)))
        except (binascii.Error, ValueError, SealBroken):
            return False
        return to_us(self._clock.now()) - issued_us < in_us(DEVICE_LIFETIME)

    def _begin(self, limits: Mapping[bytes, int], counted: bytes) -> Attempt:
        """Count an attempt before it is made, so that concurrent attempts count, too."""
        now_us = to_us(self._clock.now())
        since_us = now_us - in_us(WINDOW)
        with self._directory.write() as session:
            waits = [
                _wait_us(found.number - free, found.newest_us, now_us)
                for source, free in limits.items()
                if (found := find_failures(session, source, since_us)).number >= free
            ]
            wait_us = max(waits, default=0)
            if wait_us <= 0:
                create_failures(session, tuple(limits), now_us, since_us)
                failures = find_failures(session, counted, since_us).number
        if wait_us > 0:
            self._refuse(wait_us)
        self.attempts += 1
        return Attempt(tuple(limits), now_us, failures)

    def _refuse(self, wait_us: int) -> None:
        self.refused += 1
        seconds = -(-wait_us // 1_000_000)
        raise TooManyAttempts(
            f"Too many failed sign-ins. Try again in {_words(seconds)}.", retry_after=seconds
        )


def _wait_us(beyond: int, newest_us: int, now_us: int) -> int:
    """The waiting time after a number of failures beyond the free ones."""
    longest_us = in_us(LONGEST_WAIT)
    wait_us = min(longest_us, 1_000_000 << min(beyond, 32))
    return newest_us + wait_us - now_us


def _source(kind: str, name: str) -> bytes:
    return digest_secret(f"{kind} {name}")


def _place_of_device(account: str) -> str:
    return f"device {digest_secret(account).hex()}"


def _words(seconds: int) -> str:
    if seconds > 90:
        return f"{-(-seconds // 60)} minutes"
    return f"{seconds} seconds" if seconds > 1 else "a second"

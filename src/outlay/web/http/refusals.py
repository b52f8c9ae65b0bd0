"""Calls that never become requests: without a valid key, or to an unknown path.

They appear in nobody's usage, so they are counted here, and logged at most once a minute: the
operator sees that a client has an old key or a wrong base URL.
"""

import logging
import threading
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from starlette.requests import Request
from starlette.types import Scope

logger = logging.getLogger(__name__)

LOG_SECONDS: Final = 60.0
MAX_SHOWN: Final = 80
"""Maximum length of an untrusted path in the log."""


class Reason(StrEnum):
    """Why a call was refused at the start."""

    NO_KEY = "no_key"
    WRONG_KEY = "wrong_key"
    UNKNOWN_PATH = "unknown_path"
    WRONG_METHOD = "wrong_method"

    @property
    def label(self) -> str:
        """Its name in logs and on pages."""
        return self.value.replace("_", " ")


class Refusals:
    """Counts of refused calls since the start."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = dict.fromkeys(Reason, 0)
        self._lock = threading.Lock()
        self._logged_at = float("-inf")
        self._since = 0
        """Refused calls since the last line in the log."""

    def note_credential(self, shown: str | None, scope: Scope) -> None:
        """Count a call without a valid key."""
        self.note(Reason.WRONG_KEY if shown else Reason.NO_KEY, scope)

    def note(self, reason: Reason, scope: Scope) -> None:
        """Count a call and log it, unless another one was logged just before."""
        with self._lock:
            self.counts[reason] += 1
            self._since += 1
            now = time.monotonic()
            if now < self._logged_at + LOG_SECONDS:
                return
            count, self._logged_at, self._since = self._since, now, 0
        client = scope.get("client") or ("an unknown address",)
        logger.warning(
            "%d call(s) refused since the last message; the latest: %s %s from %s (%s)",
            count,
            scope["method"],
            ascii(scope["path"][:MAX_SHOWN]),
            client[0],
            reason.label,
        )


def refused_calls(request: Request) -> dict[Reason, int]:
    """The number of refused calls since the start, by reason."""
    counts: Mapping[str, int] = request.app.state.refused()
    return {reason: counts[reason] for reason in Reason if counts.get(reason)}

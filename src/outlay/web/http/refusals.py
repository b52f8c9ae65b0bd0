"""Calls that never became requests: without a good key, or to a path that there is none of.

Nobody's usage shows them, so they are counted here, and named in the log once a minute at most:
whoever operates the server sees that a client has an old key or a wrong base URL.
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
"""Characters of a stranger's path in the log."""


class Reason(StrEnum):
    """Why a call was refused before anything was done for it."""

    NO_KEY = "no_key"
    WRONG_KEY = "wrong_key"
    UNKNOWN_PATH = "unknown_path"
    WRONG_METHOD = "wrong_method"

    @property
    def label(self) -> str:
        """What it is called in logs and on pages."""
        return self.value.replace("_", " ")


class Refusals:
    """How many of them there were since the start."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = dict.fromkeys(Reason, 0)
        self._lock = threading.Lock()
        self._logged_at = float("-inf")
        self._since = 0
        """Refused since the last line of the log."""

    def note_credential(self, shown: str | None, scope: Scope) -> None:
        """Count a call without a good key."""
        self.note(Reason.WRONG_KEY if shown else Reason.NO_KEY, scope)

    def note(self, reason: Reason, scope: Scope) -> None:
        """Count one; the log says which it was, unless it has just named another."""
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
    """How many calls this server has refused since its start, by those reasons that there were."""
    counts: Mapping[str, int] = request.app.state.refused()
    return {reason: counts[reason] for reason in Reason if counts.get(reason)}

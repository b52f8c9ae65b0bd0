"""Requests that come back: each one that is sent on names the installations it went through.

A gateway that is an upstream of itself, directly or over others, would call itself until nothing is
left. A chain of different installations is allowed, up to a length.
"""

import hashlib
import re
from typing import Final

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.wire.caller import Headers

HOPS: Final = "x-outlay-hops"
MAX_HOPS: Final = 4
"""Installations that a request may have gone through before this one."""

_ID_LETTERS: Final = 16
_ID: Final = re.compile(rf"\b[0-9a-f]{{{_ID_LETTERS}}}\b")
_NAME: Final = HOPS.encode()


class Hops:
    """What requests say of the way they came."""

    def __init__(self, ledger_id: str) -> None:
        # Providers see it: it tells installations apart, and nothing about them.
        self._id = hashlib.sha256(f"outlay hop {ledger_id}".encode()).hexdigest()[:_ID_LETTERS]

    def onward(self, headers: Headers) -> str:
        """The value of the header for the next one; raises Invalid when a request is in a loop."""
        hops = _ID.findall(headers.get(_NAME, b"").decode("latin-1"))
        if self._id in hops:
            raise Invalid(
                "This request came from this gateway itself: the upstream that it was sent to "
                "leads back here. Give that upstream the address of its provider.",
                code=ErrorCode.LOOP_DETECTED,
            )
        if len(hops) > MAX_HOPS:
            raise Invalid(
                f"This request has gone through {len(hops)} gateways; at most {MAX_HOPS + 1} are "
                "allowed in a row.",
                code=ErrorCode.LOOP_DETECTED,
            )
        return ", ".join((*hops, self._id))

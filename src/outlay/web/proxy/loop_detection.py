"""Loop detection: each forwarded request lists the installations that it passed through.

A gateway that is an upstream of itself, directly or through others, would call itself until its
resources are exhausted. A chain of different installations is allowed, up to a length.
"""

import hashlib
import re
from typing import Final

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.wire.caller import Headers

HOPS_HEADER: Final = "x-outlay-hops"
MAX_HOPS: Final = 4
"""Maximum number of installations that a request may have passed through before this one."""

_ID_LETTERS: Final = 16
_ID: Final = re.compile(rf"\b[0-9a-f]{{{_ID_LETTERS}}}\b")
_NAME: Final = HOPS_HEADER.encode()


class LoopDetector:
    """Detects requests that have passed through this installation before."""

    def __init__(self, ledger_id: str) -> None:
        # Visible to providers: it identifies an installation and reveals nothing about it.
        self._id = hashlib.sha256(f"outlay hop {ledger_id}".encode()).hexdigest()[:_ID_LETTERS]

    def next_hops(self, headers: Headers) -> str:
        """The header value for the next hop; raises Invalid for a request in a loop."""
        hops = _ID.findall(headers.get(_NAME, b"").decode("latin-1"))
        if self._id in hops:
            raise Invalid(
                "This request came from this gateway itself: one of its upstreams points back to "
                "it. Set that upstream's base URL to the provider.",
                code=ErrorCode.LOOP_DETECTED,
            )
        if len(hops) > MAX_HOPS:
            raise Invalid(
                f"This request has passed through {len(hops)} gateways. At most {MAX_HOPS + 1} in "
                "a row are allowed.",
                code=ErrorCode.LOOP_DETECTED,
            )
        return ", ".join((*hops, self._id))

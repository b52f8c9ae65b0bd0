"""Requesting usage in streams, and detecting the upstreams that reject this.

`stream_options` is OpenAI's; some compatible APIs reject every request that has it. If the client
did not send it, such an error is not passed on: the request is sent again without it.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from outlay.domain.upstream import Upstream
from outlay.web.proxy.upstream import UpstreamResponse

REFUSALS: Final = frozenset({400, 422})
ERROR_BYTES: Final = 64 * 1024
"""Bytes of an error body that are searched for the cause."""
REMEMBERED_SECONDS: Final = 3_600.0
"""After this time the upstream is tried again, as it may have been upgraded."""
MAX_REMEMBERED: Final = 1_000
_NAME: Final = b"stream_options"


class UsageAsking:
    """Remembers upstreams that reject requests for usage."""

    def __init__(self) -> None:
        self._refused: dict[str, float] = {}

    def is_fine(self, upstream: Upstream) -> bool:
        """Whether usage may be requested from an upstream."""
        if not upstream.asks_usage:
            return False
        refused = self._refused.get(upstream.place)
        return refused is None or time.monotonic() > refused + REMEMBERED_SECONDS

    def note_refusal(self, upstream: Upstream) -> None:
        """Remember that an upstream accepted a request only without `stream_options`."""
        if len(self._refused) >= MAX_REMEMBERED:
            self._refused.clear()
        self._refused[upstream.place] = time.monotonic()


async def read_ahead(
    response: UpstreamResponse, read: Callable[[UpstreamResponse], Awaitable[bytes]]
) -> "ReadAhead":
    """Read the start of an error body."""
    start = b""
    while len(start) < ERROR_BYTES and (chunk := await read(response)):
        start += chunk
    return ReadAhead(response, start)


@dataclass(slots=True)
class ReadAhead:
    """A response of which the first bytes were read: replays them, then continues."""

    response: UpstreamResponse
    start: bytes

    @property
    def names_the_question(self) -> bool:
        """Whether the bytes read so far mention the request for usage."""
        return _NAME in self.start

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The headers as received."""
        return self.response.headers

    @property
    def content_type(self) -> str:
        """The content type in lower case, empty if there is none."""
        return self.response.content_type

    @property
    def content_encoding(self) -> str:
        """The content encoding in lower case, empty if there is none."""
        return self.response.content_encoding

    async def read(self) -> bytes:
        """The next bytes, empty at the end."""
        start, self.start = self.start, b""
        return start or await self.response.read()

    def close(self) -> None:
        """Close the connection, unless the body was read to its end."""
        self.response.close()

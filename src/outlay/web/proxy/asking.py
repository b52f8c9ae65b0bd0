"""Asking upstreams for the usage of a stream, and which of them will not have it.

`stream_options` is OpenAI's; some that speak its dialect refuse every request that has it. Such a
refusal is not passed on where the client did not write it: the request is sent again without.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from outlay.domain.upstream import Upstream
from outlay.web.proxy.upstream import UpstreamResponse

REFUSALS: Final = frozenset({400, 422})
ERROR_BYTES: Final = 64 * 1024
"""How much of a refusal is read to see what it is about."""
REMEMBERED_SECONDS: Final = 3_600.0
"""After that an upstream is asked again, as it may have learned it."""
MAX_REMEMBERED: Final = 1_000
_NAME: Final = b"stream_options"


class UsageAsking:
    """Remembers upstreams that refuse to be asked for the usage."""

    def __init__(self) -> None:
        self._refused: dict[str, float] = {}

    def is_fine(self, upstream: Upstream) -> bool:
        """Whether an upstream may be asked."""
        if not upstream.asks_usage:
            return False
        refused = self._refused.get(upstream.place)
        return refused is None or time.monotonic() > refused + REMEMBERED_SECONDS

    def note_refusal(self, upstream: Upstream) -> None:
        """Remember that an upstream took a request without the question, and not with it."""
        if len(self._refused) >= MAX_REMEMBERED:
            self._refused.clear()
        self._refused[upstream.place] = time.monotonic()


async def read_ahead(
    response: UpstreamResponse, read: Callable[[UpstreamResponse], Awaitable[bytes]]
) -> "ReadAhead":
    """Read the start of a refusal, to see what it is about."""
    start = b""
    while len(start) < ERROR_BYTES and (chunk := await read(response)):
        start += chunk
    return ReadAhead(response, start)


@dataclass(slots=True)
class ReadAhead:
    """An answer of which a part has been read: the same answer, from its beginning."""

    response: UpstreamResponse
    start: bytes

    @property
    def names_the_question(self) -> bool:
        """Whether what has been read is about the question for the usage."""
        return _NAME in self.start

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The headers as they came."""
        return self.response.headers

    @property
    def content_type(self) -> str:
        """The content type in lower case, empty when there is none."""
        return self.response.content_type

    @property
    def content_encoding(self) -> str:
        """The content encoding in lower case, empty when there is none."""
        return self.response.content_encoding

    async def read(self) -> bytes:
        """The next bytes, empty at the end."""
        start, self.start = self.start, b""
        return start or await self.response.read()

    def close(self) -> None:
        """Break the connection off, unless the body was read to its end."""
        self.response.close()

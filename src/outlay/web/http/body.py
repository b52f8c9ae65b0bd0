"""The body of a request: bounded as it arrives and as it unfolds."""

import zlib
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from outlay.domain.errors import Invalid

MAX_BODY: Final = 32 * 1024 * 1024
"""Bytes, before and after decompression."""

_GZIP: Final = 16 + zlib.MAX_WBITS
"""What makes zlib read the gzip format (RFC 1952)."""


async def read_body(request: Request) -> bytes:
    """The body of a request, unfolded where it is gzip.

    Refused past MAX_BODY before it is held in memory: Invalid `body-too-large`, `encoded-body` for
    an encoding other than gzip, and `malformed-gzip`.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        raise Invalid(
            f"Content-Encoding {encoding!r} is not read; send gzip, or none", code="encoded-body"
        )
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY:
            raise _too_large()
        chunks.append(chunk)
    body = b"".join(chunks)
    if encoding in ("gzip", "x-gzip") and body:
        return await run_in_threadpool(_unfold, body)
    return body


def _unfold(body: bytes) -> bytes:
    """The content of one or more gzip members."""
    parts, room = [], MAX_BODY
    while body:
        reader = zlib.decompressobj(_GZIP)
        try:
            part = reader.decompress(body, room + 1)
        except zlib.error as error:
            raise Invalid(
                f"the body is not gzip as its Content-Encoding says: {error}", code="malformed-gzip"
            ) from error
        if len(part) > room:
            raise _too_large()
        if not reader.eof:
            raise Invalid("the gzip body ends before its end", code="malformed-gzip")
        parts.append(part)
        room -= len(part)
        body = reader.unused_data
    return b"".join(parts)


def _too_large() -> Invalid:
    return Invalid(
        f"the body is larger than {MAX_BODY // 1024 // 1024} MiB; split it", code="body-too-large"
    )

"""The body of a request: bounded as it arrives and as it unfolds."""

import gzip
import zlib
from io import BytesIO
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from outlay.domain.errors import Invalid

MAX_BODY: Final = 32 * 1024 * 1024
"""Bytes, before and after decompression."""


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
    try:
        with gzip.GzipFile(fileobj=BytesIO(body)) as file:
            unfolded = file.read(MAX_BODY + 1)
    except EOFError as error:
        raise Invalid("the gzip body ends before its end", code="malformed-gzip") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise Invalid(
            f"the body is not gzip as its Content-Encoding says: {error}", code="malformed-gzip"
        ) from error
    if len(unfolded) > MAX_BODY:
        raise _too_large()
    return unfolded


def _too_large() -> Invalid:
    return Invalid(
        f"the body is larger than {MAX_BODY // 1024 // 1024} MiB; split it", code="body-too-large"
    )

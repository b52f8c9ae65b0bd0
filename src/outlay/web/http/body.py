"""The body of a request, limited while it arrives and while it is decompressed."""

import zlib
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid

MIB: Final = 1024 * 1024

MAX_BODY: Final = 256 * 1024
"""Maximum number of bytes that a route reads, unless its policy says otherwise."""
MAX_FORM: Final = 32 * 1024
"""For forms of unauthenticated users."""
MAX_INGEST: Final = 32 * MIB
"""For usage data, before and after decompression."""

MAX_GZIP_MEMBERS: Final = 10_000
"""Each member takes time, even an empty one of 20 bytes; senders write one."""
_CHUNK: Final = 64 * 1024


class BodyTooLarge(Invalid):
    """The request body is too large."""

    default_code = ErrorCode.BODY_TOO_LARGE

    def __init__(self, bound: int) -> None:
        size = f"{bound // MIB} MiB" if bound >= MIB else f"{bound // 1024} KiB"
        super().__init__(f"the body is larger than {size}")


async def read_body(request: Request) -> bytes:
    """The body of a request, decompressed if it is gzip.

    The policy of the route limits what is read. Raises BodyTooLarge if it decompresses to more than
    MAX_INGEST, Invalid `encoded-body` for an encoding other than gzip, and `malformed-gzip`.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        raise Invalid(
            f"Content-Encoding {encoding!r} is not supported. Send gzip or no encoding.",
            code=ErrorCode.ENCODED_BODY,
        )
    body = await request.body()
    if encoding in ("gzip", "x-gzip") and body:
        return await run_in_threadpool(decompress, body)
    return body


def decompress(body: bytes) -> bytes:
    """The content of one or more gzip members; stops at the limits, not after them."""
    view, position = memoryview(body), 0
    pieces: list[bytes] = []
    room, members = MAX_INGEST, 0
    while position < len(body):
        members += 1
        if members > MAX_GZIP_MEMBERS:
            raise _malformed(f"it has more than {MAX_GZIP_MEMBERS:,} members")
        unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        while not unpacker.eof:
            chunk = view[position : position + _CHUNK]
            if not chunk:
                raise _malformed("it is truncated")
            try:
                piece = unpacker.decompress(chunk, room + 1)
            except zlib.error as error:
                raise _malformed(str(error)) from error
            room -= len(piece)
            if room < 0:
                raise BodyTooLarge(MAX_INGEST)
            pieces.append(piece)
            position += len(chunk) - len(unpacker.unused_data)
        while position < len(body) and body[position] == 0:  # padding between members
            position += 1
    return b"".join(pieces)


def _malformed(reason: str) -> Invalid:
    return Invalid(f"The body is not valid gzip: {reason}.", code=ErrorCode.MALFORMED_GZIP)

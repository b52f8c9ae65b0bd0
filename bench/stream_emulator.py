"""A minimal upstream, far faster than any proxy: 50 events per answer, or one body.

Usage: `python -m bench.stream_emulator <port>`.
"""

import asyncio
import sys

import uvloop
from typing_extensions import override

CHUNKS = 50

BODY = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-5.5",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"Hello there, how are you?"},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":7,'
    b'"total_tokens":19,"prompt_tokens_details":{"cached_tokens":0},'
    b'"completion_tokens_details":{"reasoning_tokens":0}}}'
)
WHOLE = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    b"content-length: " + str(len(BODY)).encode() + b"\r\n\r\n" + BODY
)
_EVENT = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-5.5",'
    b'"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}],"usage":null}\n\n'
)
_USAGE = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-5.5",'
    b'"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":50,"total_tokens":62}}\n\n'
)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Emulator(asyncio.Protocol):
    """Answers any request; if the body contains `stream`, with a stream of one chunk per loop
    iteration.
    """

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # of TCP
        self._data = b""

    @override
    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, rest = self._data.partition(b"\r\n\r\n")
        if not found:
            return
        lowered = head.lower()
        start = lowered.find(b"content-length:")
        length = 0
        if start >= 0:
            length = int(lowered[start + 15 :].split(b"\r\n", 1)[0])
        is_whole = len(rest) >= length
        if b"transfer-encoding: chunked" in lowered:
            is_whole, length = rest.endswith(b"0\r\n\r\n"), len(rest)
        if not is_whole:
            return
        self._data = rest[length:]
        if b'"stream":true' in rest.replace(b" ", b""):
            self._transport.write(_HEAD)
            self._send(0)
        else:
            self._transport.write(WHOLE)

    def _send(self, index: int) -> None:
        if self._transport.is_closing():
            return
        if index < CHUNKS:
            self._transport.write(_chunk(_EVENT))
            asyncio.get_running_loop().call_soon(self._send, index + 1)
        else:
            self._transport.write(_chunk(_USAGE) + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")


async def main() -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Emulator, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())

"""HTTP/1.1 as uvicorn speaks it, with a bound on what a client may say before its body."""

import asyncio
import logging
from typing import Final

from typing_extensions import override
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

MAX_HEAD_BYTES: Final = 64 * 1024
"""Request line and headers together."""

MAX_HEADERS: Final = 200

_CONTINUE: Final = b"HTTP/1.1 100 "

_log = logging.getLogger("outlay.http")


class _HeadTooLarge(Exception):
    """The head of a request is larger than is taken."""


class _NotOneHost(Exception):
    """A request names no host, or several."""


def _is_news(record: logging.LogRecord) -> bool:
    """Not what a relayed answer that breaks off looks like, nor a client that makes no sense."""
    message = str(record.msg)
    return not message.startswith(("ASGI callable returned without", "Invalid HTTP request"))


_log.addFilter(_is_news)


class _JoinedHead:
    """A transport that writes the head of an answer together with the first piece of its body.

    Uvicorn writes them one after the other, which would be two system calls for a short answer.
    """

    __slots__ = ("_head", "_is_new", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self._is_new = True

    def write(self, data: bytes) -> None:
        """Write, or hold back until there is more."""
        if self._is_new and not data.startswith(_CONTINUE):
            self._head, self._is_new = data, False
        elif self._head:
            data, self._head = self._head + data, b""
            self._transport.write(data)
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Write what is held back."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        """Close after all has been written."""
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether the connection is being closed."""
        return self._transport.is_closing()


class BoundedProtocol(HttpToolsProtocol):
    """Answers 431 to a head that is too large, and closes the connection.

    A request without exactly one Host is answered 400 (RFC 9112, section 3.2): somebody in between
    might have meant another one.
    """

    _head_bytes = 0
    _hosts = 0
    _is_too_large = False

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # whatever uvicorn passes on
        self.logger = _log

    @override
    def on_message_begin(self) -> None:
        self._head_bytes = 0
        self._hosts = 0
        super().on_message_begin()

    @override
    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        if len(name) == len(b"host") and name.lower() == b"host":
            self._hosts += 1
        super().on_header(name, value)

    @override
    def on_headers_complete(self) -> None:
        is_old = self.parser.get_http_version() == "1.0"
        if self._hosts > 1 or not (self._hosts or is_old):
            raise _NotOneHost
        super().on_headers_complete()

    @override
    def send_400_response(self, msg: str) -> None:
        if not self._is_too_large:
            super().send_400_response(msg)
            return
        body = b"The request's headers are too large."
        self.transport.write(
            STATUS_LINE[431]
            + b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
            + b"content-length: %d\r\n\r\n" % len(body)
            + body
        )
        self.transport.close()

    @override
    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        joined = _JoinedHead(self.transport)
        cycle.transport = joined  # type: ignore[assignment]  # as far as a cycle uses one
        complete = cycle.on_response

        def on_response() -> None:
            joined.flush()  # an answer to HEAD has no body to go with
            complete()

        cycle.on_response = on_response
        super()._start_asgi_task(cycle, app)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES or len(self.headers) >= MAX_HEADERS:
            self._is_too_large = True
            raise _HeadTooLarge

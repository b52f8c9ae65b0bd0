"""HTTP/1.1 of uvicorn, with limits on what a client may send and how long it may take."""

import asyncio
import logging
import time
from typing import Final

from typing_extensions import override
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from outlay.web.http.connections import Connections, Stage

MAX_HEAD_BYTES: Final = 64 * 1024
"""Request line and headers together."""

MAX_HEADERS: Final = 200

MIN_PROGRESS: Final = 1024
"""Bytes of a body that must arrive within its time: less counts as no progress."""
LINGER_SECONDS: Final = 2.0
"""How long a client that has not sent all of its request may read its answer."""
LINGER_BYTES: Final = 256 * 1024
"""How much it may still send meanwhile; it is discarded."""

_CONTINUE: Final = b"HTTP/1.1 100 "
_CLOSE: Final = b"connection: close\r\n"

_log = logging.getLogger("outlay.http")


class _HeadTooLarge(Exception):
    """The head of a request is too large."""


class _NotOneHost(Exception):
    """A request names no host, or several."""


_NO_NEWS: Final = (
    "ASGI callable returned without",
    "Invalid HTTP request",
    "Unsupported upgrade request",
    "No supported WebSocket library",
)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a log record is neither a relayed answer that breaks off nor caused by clients or
    shutdowns."""
    kind = record.exc_info[0] if record.exc_info else None
    is_stop = kind is not None and issubclass(kind, asyncio.CancelledError)
    return not is_stop and not str(record.msg).startswith(_NO_NEWS)


_log.addFilter(_is_news)


class _JoinedHead:
    """A transport that writes the head of an answer together with the first piece of its body.

    Uvicorn writes them one after the other, which would be two system calls for a short answer. An
    answer that is sent before the end of the request is the last one on its connection, and says
    so.
    """

    __slots__ = ("_cycle", "_head", "_is_new", "_protocol", "_transport")

    def __init__(self, protocol: "BoundedProtocol", cycle: RequestResponseCycle) -> None:
        self._protocol = protocol
        self._cycle = cycle
        self._transport = protocol.transport
        self._head = b""
        self._is_new = True

    def write(self, data: bytes) -> None:
        """Write, or buffer until there is more."""
        if self._is_new and not data.startswith(_CONTINUE):
            if self._cycle.more_body and self._cycle.keep_alive:
                self._cycle.keep_alive = False
                data = data[:-2] + _CLOSE + data[-2:]
            self._head, self._is_new = data, False
        elif self._head:
            data, self._head = self._head + data, b""
            self._transport.write(data)
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Write what is buffered."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        """Close after everything has been written."""
        self.flush()
        if self._cycle.more_body and self._cycle.response_complete:
            self._protocol.linger()
        else:
            self._transport.close()

    def is_closing(self) -> bool:
        """Whether the connection is being closed."""
        return self._transport.is_closing()


class BoundedProtocol(HttpToolsProtocol):
    """Answers 431 to a head that is too large, 408 to one that takes too long, and closes.

    A request without exactly one Host is answered with 400 (RFC 9112, section 3.2): an intermediary
    might have read another one.
    """

    _head_bytes = 0
    _hosts = 0
    _is_too_large = False
    _is_lingering = False
    _stage = Stage.HEAD
    _is_idle = False
    """Whether nothing of the next request has arrived; uvicorn closes such connections after a few
    seconds."""
    _came = 0
    """Bytes received since the deadline was set; while lingering, since that began."""
    _unsent = 0
    """Bytes of answers that the client had not read at the last check."""
    _taken_at = 0.0
    """When it last read some of them, or had nothing to read."""

    def __init__(self, connections: Connections, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # whatever uvicorn passes on
        self.logger = _log
        self._held = connections
        self._settings = connections.settings
        self._until = 0.0

    # A connection's life

    @override
    def connection_made(
        self,
        transport: asyncio.Transport,  # type: ignore[override]  # as uvicorn declares it
    ) -> None:
        super().connection_made(transport)
        now = time.monotonic()
        self._taken_at = now
        self._until = now + self._settings.head_seconds
        if not self._held.add(self, self.client[0] if self.client else ""):
            self._say(503, b"The server has too many connections; try again in a moment.")
            self.transport.close()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._held.remove(self)
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        self._came += len(data)
        if self._is_lingering:
            if self._came > LINGER_BYTES:
                self.transport.abort()
            return
        if self._is_idle:
            self._is_idle = False
            self._until = time.monotonic() + self._settings.head_seconds
        super().data_received(data)

    def linger(self) -> None:
        """Close once the client has its answer.

        The client is still sending. Closing at once would reset the connection, and many clients
        would then lose the answer (RFC 9112, section 9.6).
        """
        self._is_lingering = True
        self._came = 0
        self._until = time.monotonic() + LINGER_SECONDS
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()

    def make_room(self) -> None:
        """Close in favour of another connection."""
        self.transport.abort()

    def check(self, now: float) -> None:
        """Close if the client takes too long to send its request, or to read its answer."""
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent < self._unsent:
            self._taken_at = now
        self._unsent = unsent
        if now - self._taken_at > self._settings.body_seconds:
            self.transport.abort()
        elif now > self._until:
            self._check_request(now)

    def _check_request(self, now: float) -> None:
        if self._is_lingering:
            self.transport.abort()
        elif self._stage is Stage.BODY:
            is_ours = self.flow.read_paused or self.cycle.waiting_for_100_continue
            if is_ours or self._came >= MIN_PROGRESS:
                self._came = 0
                self._until = now + self._settings.body_seconds
            else:
                self._time_out()
        elif self._stage is Stage.HEAD and not self._is_idle:
            self._time_out()

    def _time_out(self) -> None:
        if self.transport.is_closing():
            return
        if self._stage is Stage.BODY:
            is_answered = not self.cycle.response_started
        else:
            is_answered = self._came > 0
        if is_answered:
            self._say(408, b"The request took too long to arrive.")
        self.transport.close()

    def _expect_body(self) -> None:
        self._came = 0
        self._until = time.monotonic() + self._settings.body_seconds
        self._enter(Stage.BODY)

    def _enter(self, stage: Stage) -> None:
        if stage is not self._stage:
            self._held.move(self, self._stage, stage)
            self._stage = stage

    # Callbacks of the parser

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
        before: RequestResponseCycle | None = self.cycle
        if before is None or before.response_complete:
            self._expect_body()
        super().on_headers_complete()

    @override
    def on_message_complete(self) -> None:
        self._enter(Stage.SERVING)
        super().on_message_complete()

    @override
    def on_response_complete(self) -> None:
        if self._is_lingering:
            self.server_state.total_requests += 1
            return
        is_last = not self.pipeline
        super().on_response_complete()
        if is_last:
            self._came = 0
            self._is_idle = True
            self._enter(Stage.HEAD)
        elif self.cycle.more_body:
            self._expect_body()

    @override
    def send_400_response(self, msg: str) -> None:
        if not self._is_too_large:
            super().send_400_response(msg)
            return
        self._say(431, b"The request's headers are too large.")
        self.transport.close()

    def _say(self, status: int, body: bytes) -> None:
        """Answer without calling the application."""
        self.transport.write(
            STATUS_LINE[status]
            + b"content-type: text/plain; charset=utf-8\r\n"
            + _CLOSE
            + (b"retry-after: 1\r\n" if status == 503 else b"")
            + b"content-length: %d\r\n\r\n" % len(body)
            + body
        )

    @override
    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        joined = _JoinedHead(self, cycle)
        cycle.transport = joined  # type: ignore[assignment]  # as far as a cycle uses one
        complete = cycle.on_response

        def on_response() -> None:
            joined.flush()  # an answer to HEAD has no body
            complete()

        cycle.on_response = on_response
        super()._start_asgi_task(cycle, app)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES or len(self.headers) >= MAX_HEADERS:
            self._is_too_large = True
            raise _HeadTooLarge

"""HTTP/1.1 as uvicorn speaks it, with a bound on what a client may say before its body."""

import logging
from typing import Final

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MAX_HEAD_BYTES: Final = 64 * 1024
"""Request line and headers together."""

MAX_HEADERS: Final = 200

_log = logging.getLogger("outlay.http")


class _HeadTooLarge(Exception):
    """The head of a request is larger than is taken."""


def _is_news(record: logging.LogRecord) -> bool:
    """Not what a relayed answer that breaks off looks like, nor a client that makes no sense."""
    message = str(record.msg)
    return not message.startswith(("ASGI callable returned without", "Invalid HTTP request"))


_log.addFilter(_is_news)


class BoundedProtocol(HttpToolsProtocol):
    """Answers 431 to a head that is too large, and closes the connection."""

    _head_bytes = 0
    _is_too_large = False

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # whatever uvicorn passes on
        self.logger = _log

    @override
    def on_message_begin(self) -> None:
        self._head_bytes = 0
        super().on_message_begin()

    @override
    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

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

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES or len(self.headers) >= MAX_HEADERS:
            self._is_too_large = True
            raise _HeadTooLarge

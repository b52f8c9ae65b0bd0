"""The client's side of a request: its body, its connection and the response sent to it."""

from collections.abc import Coroutine
from typing import Any, Final, cast

from starlette.types import Message, Receive, Send

from outlay.web.http.body import BodyTooLarge
from outlay.web.proxy.deadlines import Deadline, DeadlineExceeded

_NEVER_WAITED_FOR: Final = 32 * 1024
"""This much fits the transport's buffer, whatever the client does."""


class ClientGone(Exception):
    """The client has disconnected or has read nothing for too long."""


class Client:
    """One request's connection to its client."""

    __slots__ = ("_deadline", "_has_body", "_receive", "_seconds", "_send", "_written", "is_gone")

    def __init__(self, receive: Receive, send: Send, deadline: Deadline, seconds: float) -> None:
        self._receive = receive
        self._send = send
        self._deadline = deadline
        self._seconds = seconds
        self._has_body = False
        self._written = 0
        self.is_gone = False

    async def read_body(self, limit: int) -> bytes:
        """The body; raises BodyTooLarge before more than `limit` bytes are held, ClientGone."""
        chunks: list[bytes] = []
        size = 0
        while True:
            try:
                message = await self._deadline.wait(self._receive(), self._seconds)
            except DeadlineExceeded:
                self.is_gone = True
                raise ClientGone from None
            if message["type"] == "http.disconnect":
                self.is_gone = True
                raise ClientGone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise BodyTooLarge(limit)
            if not message.get("more_body", False):
                self._has_body = True
                return b"".join([*chunks, chunk]) if chunks else chunk
            chunks.append(chunk)

    def has_left(self) -> bool:
        """Whether the client has disconnected.

        After the body, `receive` returns nothing until the client disconnects. It is polled without
        waiting: its coroutine is stepped to where it would wait, and closed there. That costs a
        hundredth of a task that waits alongside every request.
        """
        if not self.is_gone and self._has_body:
            waiting = cast("Coroutine[Any, Any, Message]", self._receive())
            try:
                waiting.send(None)
            except StopIteration as received:
                self.is_gone = received.value["type"] == "http.disconnect"
            finally:
                waiting.close()
        return self.is_gone

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send status and headers; raises ClientGone."""
        await self._put({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, body: bytes, *, more: bool) -> None:
        """Send a piece of the body; raises ClientGone."""
        message = {"type": "http.response.body", "body": body, "more_body": more}
        await self._put(message)
        self._written += len(body)

    async def _put(self, message: dict[str, object]) -> None:
        if self._written < _NEVER_WAITED_FOR:
            await self._send(message)
            return
        try:
            await self._deadline.wait(self._send(message), self._seconds)
        except DeadlineExceeded:
            self.is_gone = True
            raise ClientGone from None

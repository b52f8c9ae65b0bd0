"""HEAD: the headers of GET's response, without its body, on every path that has a GET."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS_ONLY: Final = "outlay.headers_only"
"""The key in a request's scope that says that its body is not sent."""


class HeadAsGet:
    """Serves HEAD with the routes of GET. Pure ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        as_get = {**scope, "method": "GET", HEADERS_ONLY: True}
        await self._app(as_get, receive, send_without_body)


def is_head(request: Request) -> bool:
    """Whether only the headers of a response are requested."""
    return HEADERS_ONLY in request.scope


def headers_of(response: Response) -> Response:
    """A response without its body, which is not created if it would be streamed.

    It has no length: that is often unknown before the body is created, and clients that are given a
    length request ranges, which are not supported.
    """
    answer = Response(status_code=response.status_code)
    answer.raw_headers = [
        (name, value) for name, value in response.raw_headers if name != b"content-length"
    ]
    return answer

"""HEAD: what GET would answer, without its body, on every path that has a GET."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS_ONLY: Final = "outlay.headers_only"
"""Where in the scope of a request stands that its body is not sent."""


class HeadAsGet:
    """Serves HEAD by the routes of GET. Pure ASGI."""

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
    """Whether only the headers of an answer are wanted."""
    return HEADERS_ONLY in request.scope


def headers_of(response: Response) -> Response:
    """An answer without its body, which is then never made where it would be made piece by piece.

    Nor does it say how long it would be: of some answers that is not known before they are made,
    and who is told a length asks for ranges of it, which there are not.
    """
    answer = Response(status_code=response.status_code)
    answer.raw_headers = [
        (name, value) for name, value in response.raw_headers if name != b"content-length"
    ]
    return answer

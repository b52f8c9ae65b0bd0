"""The gateway's own responses on relayed paths: errors in the client's dialect."""

from collections.abc import Sequence
from typing import NamedTuple

from starlette.types import Send

from outlay.domain.errors import OutlayError
from outlay.kit.ids import new_id
from outlay.web.http.errors import status_of
from outlay.web.proxy.dialects import Dialect
from outlay.web.proxy.headers import error_headers, refusal_headers


class PreparedResponse(NamedTuple):
    """A complete response."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def error_response(
    dialect: Dialect,
    status: int,
    code: str,
    message: str,
    event_id: str = "",
    *,
    is_final: bool = True,
    more: Sequence[tuple[bytes, bytes]] = (),
) -> PreparedResponse:
    """An error response; `is_final` says that the same request will be refused again."""
    request_id = event_id or new_id("req")
    body = dialect.error(status, code, message, request_id)
    headers = error_headers(event_id, len(body), is_final=is_final)
    return PreparedResponse(
        status, [*headers, *more, (dialect.id_header, request_id.encode())], body
    )


def refusal_response(dialect: Dialect, error: OutlayError, event_id: str = "") -> PreparedResponse:
    """The response that refuses a request, with retry headers."""
    request_id = event_id or new_id("req")
    status = status_of(error)
    body = dialect.error(status, error.code, error.message, request_id)
    headers = refusal_headers(error, event_id, len(body))
    return PreparedResponse(status, [*headers, (dialect.id_header, request_id.encode())], body)


async def send_response(send: Send, response: PreparedResponse) -> None:
    """Send a complete response."""
    status, headers, body = response
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

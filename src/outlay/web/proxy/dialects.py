"""Errors in the formats that the clients' libraries expect."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson


@dataclass(frozen=True, slots=True)
class Dialect:
    """The error format of one provider's clients."""

    name: str
    id_header: bytes
    """The header in which its clients expect the request id."""
    render: Callable[[int, str, str, str], dict[str, Any]]

    def error(self, status: int, code: str, message: str, request_id: str = "") -> bytes:
        """The body of an error."""
        return orjson.dumps(self.render(status, code, message, request_id))


def _openai(status: int, code: str, message: str, _: str) -> dict[str, Any]:
    kind = {
        403: "permission_error",
        429: "insufficient_quota",
        503: "service_unavailable_error",
    }.get(status, "invalid_request_error" if status < 500 else "server_error")
    error = {"message": message, "type": kind, "param": None, "code": code.replace("-", "_")}
    return {"error": error}


def _anthropic(status: int, code: str, message: str, request_id: str) -> dict[str, Any]:
    kind = {
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        503: "overloaded_error",
        504: "timeout_error",
    }.get(status, "invalid_request_error" if status < 500 else "api_error")
    error = {"type": kind, "message": message, "code": code}
    return {"type": "error", "error": error, "request_id": request_id}


def _google(status: int, code: str, message: str, _: str) -> dict[str, Any]:
    kind = {401: "UNAUTHENTICATED", 404: "NOT_FOUND"}.get(status, "INVALID_ARGUMENT")
    reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": code}
    error = {"code": status, "message": message, "status": kind, "details": [reason]}
    return {"error": error}


OPENAI: Final = Dialect("openai", b"x-request-id", _openai)
ANTHROPIC: Final = Dialect("anthropic", b"request-id", _anthropic)
GOOGLE: Final = Dialect("google", b"x-request-id", _google)
"""For an API that is not relayed: its clients get errors in their own format."""

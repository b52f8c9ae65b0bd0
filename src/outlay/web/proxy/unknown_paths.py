"""Calls to unknown paths, answered in the client's dialect with a hint at the right path.

Most are caused by a base URL with a missing or duplicate `/v1`, or by an API that is not relayed.
"""

import re
from difflib import get_close_matches
from typing import Final

from starlette.types import Scope

from outlay.domain.error_codes import ErrorCode
from outlay.web.proxy.answers import PreparedResponse, error_response
from outlay.web.proxy.dialects import ANTHROPIC, GOOGLE, OPENAI, Dialect
from outlay.web.proxy.endpoints import ENDPOINTS
from outlay.wire.caller import Headers

MODELS: Final = "/v1/models"

_SUFFIXES: Final = {path.removeprefix("/v1"): path for path in (*ENDPOINTS, MODELS)}
_BASE_WRONG: Final = re.compile(
    "|".join(
        (
            rf"(?:/[^/]+)*(?:{'|'.join(map(re.escape, _SUFFIXES))})/?",
            r"/openai/deployments/.*",
            r"/v1(?:beta|alpha)/.*",
            r"/v2/(?:chat|embed|rerank)",
        )
    ).encode(),
    re.DOTALL,
)
"""Paths of providers' APIs outside `/v1/`, which only clients of these APIs use."""

MAX_COMPARED: Final = 64
"""Longer paths are not compared with the relayed ones."""


def is_unknown_path(raw_path: bytes) -> bool:
    """Whether an unserved path belongs to a provider's API."""
    return raw_path.startswith(b"/v1/") or _BASE_WRONG.fullmatch(raw_path) is not None


def dialect_of(path: str, headers: Headers) -> Dialect:
    """The dialect of the client, judged by path and headers."""
    if path.startswith(("/v1beta/", "/v1alpha/")) or b"x-goog-api-key" in headers:
        return GOOGLE
    if b"anthropic-version" in headers or "/messages" in path:
        return ANTHROPIC
    return OPENAI


def unknown_path_response(scope: Scope, headers: Headers) -> PreparedResponse:
    """The 404 response, with the path that was probably meant."""
    method, path = scope["method"], scope["path"]
    message = f"{method} {path[:MAX_COMPARED]} is not relayed. {_advice(path)}"
    return error_response(dialect_of(path, headers), 404, ErrorCode.UNKNOWN_PATH, message)


def is_websocket(headers: Headers) -> bool:
    """Whether a request is a WebSocket handshake."""
    return headers.get(b"upgrade", b"").lower() == b"websocket"


def upgrade_required_response(dialect: Dialect, path: str) -> PreparedResponse:
    """The 426 response to a WebSocket handshake.

    Clients that try a WebSocket first, such as Codex, fall back to HTTP after a 426 (RFC 9110,
    section 15.5.22) and retry after anything else.
    """
    if path in ENDPOINTS:
        message = f"{path} is not available over WebSockets. Send a POST request."
    else:
        message = f"{path[:MAX_COMPARED]} is not relayed, and WebSockets are not supported."
    return error_response(
        dialect, 426, ErrorCode.UPGRADE_REQUIRED, message, more=[(b"upgrade", b"HTTP/1.1")]
    )


def method_not_allowed_response(dialect: Dialect, path: str) -> PreparedResponse:
    """The 405 response for a relayed path."""
    message = f"{path} accepts POST requests only."
    return error_response(
        dialect, 405, ErrorCode.METHOD_NOT_ALLOWED, message, more=[(b"allow", b"POST")]
    )


def _advice(path: str) -> str:
    place = path.rstrip("/")
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        if place.endswith(suffix):
            return _about_base(place.removesuffix(suffix), _SUFFIXES[suffix])
    if len(path) <= MAX_COMPARED:
        near = get_close_matches(place, [*_SUFFIXES.values()], n=1, cutoff=0.8)
        if near:
            return f"The closest match is {_line(near[0])}."
    return f"Available: {', '.join(map(_line, _SUFFIXES.values()))}."


def _about_base(base: str, path: str) -> str:
    """What is wrong with the base URL whose path is `base`, given the intended `path`."""
    if base == "/v1":
        wrong = "The path ends in a slash"
    elif base == "/v1/v1":
        wrong = "The base URL has a duplicate /v1"
    elif base:
        wrong = f"Use a base URL that ends in /v1, not in {base[:MAX_COMPARED]}"
    else:
        wrong = "Use a base URL that ends in /v1"
    return f"{wrong}; the endpoint is {_line(path)}."


def _line(path: str) -> str:
    return f"{'GET' if path == MODELS else 'POST'} {path}"

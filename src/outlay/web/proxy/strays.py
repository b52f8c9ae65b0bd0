"""Calls to paths that are not relayed: told in the client's dialect what the path is.

Most come of a base URL with `/v1` too little or too much, or of an API that is not relayed.
"""

import re
from difflib import get_close_matches
from typing import Final

from starlette.types import Scope

from outlay.domain.error_codes import ErrorCode
from outlay.web.proxy.answers import Told, tell
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
"""Paths of providers' APIs outside `/v1/`: nobody but a client of one asks for them."""

MAX_COMPARED: Final = 64
"""Longer paths are not compared with those that are relayed."""


def is_stray(raw_path: bytes) -> bool:
    """Whether a path that nothing is served under is one of a provider's API."""
    return raw_path.startswith(b"/v1/") or _BASE_WRONG.fullmatch(raw_path) is not None


def dialect_of(path: str, headers: Headers) -> Dialect:
    """Which clients ask for a path, as far as it and its headers tell."""
    if path.startswith(("/v1beta/", "/v1alpha/")) or b"x-goog-api-key" in headers:
        return GOOGLE
    if b"anthropic-version" in headers or "/messages" in path:
        return ANTHROPIC
    return OPENAI


def tell_stray(scope: Scope, headers: Headers) -> Told:
    """That there is no such path, and which is meant, as far as that can be told."""
    method, path = scope["method"], scope["path"]
    message = f"{method} {path[:MAX_COMPARED]} is not relayed. {_advice(path)}"
    return tell(dialect_of(path, headers), 404, ErrorCode.UNKNOWN_PATH, message)


def is_websocket(headers: Headers) -> bool:
    """Whether a request is the handshake of a WebSocket."""
    return headers.get(b"upgrade", b"").lower() == b"websocket"


def tell_upgrade(dialect: Dialect, path: str) -> Told:
    """That HTTP is spoken here.

    Clients that try a WebSocket first, as Codex does, go on with HTTP after a 426 (RFC 9110,
    section 15.5.22) and try again after anything else.
    """
    if path in ENDPOINTS:
        message = f"{path} is not served over WebSockets; send a POST request"
    else:
        message = f"{path[:MAX_COMPARED]} is not relayed, and WebSockets are not served"
    return tell(dialect, 426, ErrorCode.UPGRADE_REQUIRED, message, more=[(b"upgrade", b"HTTP/1.1")])


def tell_method(dialect: Dialect, path: str) -> Told:
    """That a relayed path takes POST requests."""
    message = f"{path} takes POST requests"
    return tell(dialect, 405, ErrorCode.METHOD_NOT_ALLOWED, message, more=[(b"allow", b"POST")])


def _advice(path: str) -> str:
    place = path.rstrip("/")
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        if place.endswith(suffix):
            return _about_base(place.removesuffix(suffix), _SUFFIXES[suffix])
    if len(path) <= MAX_COMPARED:
        near = get_close_matches(place, [*_SUFFIXES.values()], n=1, cutoff=0.8)
        if near:
            return f"The nearest that is: {_line(near[0])}."
    return f"These are: {', '.join(map(_line, _SUFFIXES.values()))}."


def _about_base(base: str, path: str) -> str:
    """What is wrong with a base URL with the path `base` that should have led to `path`."""
    if base == "/v1":
        wrong = "The path has a slash at its end"
    elif base == "/v1/v1":
        wrong = "The base URL has one /v1 too many"
    elif base:
        wrong = f"Give the client a base URL that ends in /v1, not in {base[:MAX_COMPARED]}"
    else:
        wrong = "Give the client a base URL that ends in /v1"
    return f"{wrong}: it is {_line(path)}."


def _line(path: str) -> str:
    return f"{'GET' if path == MODELS else 'POST'} {path}"

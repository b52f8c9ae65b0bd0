"""Credentials: where clients send theirs, and where upstreams expect ours."""

from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from outlay.services.gateway.routing import Route
from outlay.web.proxy.dialects import ANTHROPIC, Dialect
from outlay.wire.caller import Headers

_HEADERS: Final = (b"x-api-key", b"api-key", b"x-goog-api-key")
"""Where clients of Anthropic, Azure and Google send a key."""
_PARAMETER: Final = "key"
"""Query parameter in which clients of Google send a key."""


def credential_of(headers: Headers, query: bytes) -> str | None:
    """The API key of a request: a bearer token, or where its provider's clients send it."""
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    shown = token.strip() if scheme.lower() == b"bearer" else b""
    for name in _HEADERS:
        shown = shown or headers.get(name, b"")
    if shown:
        return shown.decode("latin-1")
    return dict(parse_qsl(query.decode("latin-1"))).get(_PARAMETER) if query else None


def without_credential(query: bytes) -> str:
    """The query for the upstream: without the key, otherwise unchanged."""
    text = query.decode("latin-1")
    if not text:
        return ""
    parts = text.split("&")
    return "&".join(part for part in parts if unquote_plus(part.partition("=")[0]) != _PARAMETER)


def secret_header(route: Route, dialect: Dialect) -> tuple[str, str] | None:
    """The header with the upstream's secret; None for upstreams without one."""
    if not route.secret:
        return None
    if dialect is ANTHROPIC and route.upstream.provider == "anthropic":
        return "x-api-key", route.secret
    return "authorization", f"Bearer {route.secret}"

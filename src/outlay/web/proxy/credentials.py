"""Credentials: where clients show theirs, and where upstreams expect ours."""

from outlay.services.routing import Route
from outlay.web.proxy.dialects import ANTHROPIC, Dialect
from outlay.wire.caller import Headers


def credential_of(headers: Headers) -> str | None:
    """The API key that a client shows: as a bearer token, or in `x-api-key` as Anthropic's do."""
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    shown = token.strip() if scheme.lower() == b"bearer" else headers.get(b"x-api-key", b"")
    return shown.decode("latin-1") or None


def secret_header(route: Route, dialect: Dialect) -> tuple[str, str] | None:
    """The header that carries the upstream's secret; None for upstreams without one."""
    if not route.secret:
        return None
    if dialect is ANTHROPIC and route.upstream.provider == "anthropic":
        return "x-api-key", route.secret
    return "authorization", f"Bearer {route.secret}"

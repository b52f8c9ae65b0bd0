"""Security headers and an id on every response, and rejection of cross-site writes. Pure ASGI."""

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outlay.domain.error_codes import ErrorCode
from outlay.kit.ids import new_id
from outlay.web.http.auth import base_url, is_secure
from outlay.web.http.errors import problem

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types frag",
    )
)

HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"
    ),
}

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class SecurityHeaders:
    """Adds the headers above; responses are not stored anywhere unless they say so themselves."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        scope["request_id"] = request_id = new_id("req")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
                if is_secure(Request(scope)):
                    headers["Strict-Transport-Security"] = "max-age=63072000"
            await send(message)

        await self._app(scope, receive, send_with_headers)


class SameOriginWrites:
    """Rejects unsafe requests that a browser sends from another site (Fetch Metadata).

    Like Go's CrossOriginProtection: `Sec-Fetch-Site` decides if it is sent; otherwise `Origin` must
    be this host; a request with neither is not from a browser.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS:
            headers = Headers(scope=scope)
            host = urlsplit(base_url(Request(scope))).netloc
            if not is_same_origin(headers, host):
                refusal = problem(
                    403,
                    ErrorCode.CROSS_SITE,
                    "this request came from another site and was refused",
                    request=Request(scope),
                )
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def is_same_origin(headers: Headers, host: str) -> bool:
    """Whether a request, by its own headers, is from this site or not from a browser.

    `host` is the name by which browsers reach this server.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == host

"""Which headers are forwarded in which direction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from outlay.domain.errors import LimitReached, OutlayError, Unavailable

RawHeaders = Sequence[tuple[bytes, bytes]]

_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""RFC 9110, section 7.6.1."""

_NOT_TO_UPSTREAM: Final = _HOP_BY_HOP | {
    b"host",
    b"content-length",
    b"accept-encoding",
    b"expect",
    b"cookie",
    # The client's identity and origin, and headers added by proxies in front of us.
    b"cdn-loop",
    b"client-ip",
    b"fastly-client-ip",
    b"forwarded",
    b"referer",
    b"remote-addr",
    b"true-client-ip",
    b"via",
    b"x-client-ip",
    b"x-cluster-client-ip",
    b"x-csrf-token",
    b"x-csrftoken",
    b"x-host",
    b"x-http-method-override",
    b"x-originating-ip",
    b"x-real-ip",
    b"x-remote-addr",
    b"x-remote-ip",
    b"x-remote-user",
    b"x-rewrite-url",
    b"x-xsrf-token",
    # Credentials and their scope: the upstream's own replace them.
    b"authorization",
    b"x-api-key",
    b"api-key",
    b"x-goog-api-key",
    b"openai-organization",
    b"openai-project",
    # Browser headers about this site.
    b"origin",
}
_NOT_TO_UPSTREAM_PREFIXES: Final = (
    b"cf-",
    b"fly-",
    b"helicone-",
    b"sec-",
    b"x-amz-",
    b"x-amzn-",
    b"x-appengine-",
    b"x-arr-",
    b"x-auth-request-",
    b"x-azure-",
    b"x-envoy-",
    b"x-forwarded-",
    b"x-litellm-",
    b"x-nf-",
    b"x-openwebui-",
    b"x-original-",
    b"x-outlay-",
    b"x-portkey-",
    b"x-vercel-",
)

_NOT_TO_CLIENT: Final = _HOP_BY_HOP | {
    b"alt-svc",
    b"date",
    b"server",
    # Headers that browsers and proxies in front of us would attribute to our own origin.
    b"accept-ch",
    b"activate-storage-access",
    b"clear-site-data",
    b"content-security-policy",
    b"content-security-policy-report-only",
    b"critical-ch",
    b"document-policy",
    b"expect-ct",
    b"feature-policy",
    b"link",
    b"nel",
    b"observe-browsing-topics",
    b"origin-agent-cluster",
    b"origin-trial",
    b"permissions-policy",
    b"public-key-pins",
    b"public-key-pins-report-only",
    b"referrer-policy",
    b"refresh",
    b"report-to",
    b"reporting-endpoints",
    b"service-worker-allowed",
    b"set-cookie",
    b"set-cookie2",
    b"set-login",
    b"sourcemap",
    b"speculation-rules",
    b"strict-transport-security",
    b"supports-loading-mode",
    b"timing-allow-origin",
    b"www-authenticate",
    b"x-content-security-policy",
    b"x-dns-prefetch-control",
    b"x-frame-options",
    b"x-lighttpd-send-file",
    b"x-permitted-cross-domain-policies",
    b"x-reproxy-url",
    b"x-sendfile",
    b"x-sourcemap",
    b"x-webkit-csp",
    b"x-xss-protection",
}
_NOT_TO_CLIENT_PREFIXES: Final = (
    b"access-control-",
    b"attribution-reporting-",
    b"cross-origin-",
    b"sec-",
    b"surrogate-",
    b"x-accel-",
    b"x-outlay-",
)

REQUEST_ID: Final = b"x-outlay-request-id"
UNAVAILABLE_SECONDS: Final = 2
"""Retry-After for requests that cannot be served now."""

LIMIT_RESETS_AT: Final = b"x-outlay-limit-resets-at"


def request_headers(
    headers: RawHeaders, listed: frozenset[bytes], secret_header: tuple[str, str] | None
) -> dict[str, str]:
    """The headers for the upstream: the client's, without Outlay's own and hop-by-hop headers.

    `listed` are the additional hop-by-hop names in the client's `Connection` header.
    """
    passed = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in headers
        if name not in _NOT_TO_UPSTREAM
        and name not in listed
        and not name.startswith(_NOT_TO_UPSTREAM_PREFIXES)
    }
    passed["accept-encoding"] = "identity"
    if secret_header:
        passed[secret_header[0]] = secret_header[1]
    return passed


def listed_by(connection: bytes) -> frozenset[bytes]:
    """The header names in a `Connection` header."""
    return frozenset(token.strip().lower() for token in connection.split(b","))


def error_headers(
    request_id: str,
    length: int,
    *,
    retry_after: int | None = None,
    is_final: bool = True,
    resets_at: datetime | None = None,
) -> list[tuple[bytes, bytes]]:
    """The headers of the gateway's own errors; `retry_after` in seconds.

    `is_final` says that the same request will be refused again: the libraries of OpenAI and
    Anthropic then raise immediately instead of retrying.
    """
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(length).encode()),
        (b"cache-control", b"no-store"),
    ]
    if request_id:
        headers.append((REQUEST_ID, request_id.encode()))
    if is_final:
        headers.append((b"x-should-retry", b"false"))
    if retry_after is not None:
        headers.append((b"retry-after", str(retry_after).encode()))
    if resets_at is not None:
        headers.append((LIMIT_RESETS_AT, f"{resets_at:%Y-%m-%dT%H:%M:%SZ}".encode()))
    return headers


def refusal_headers(error: OutlayError, request_id: str, length: int) -> list[tuple[bytes, bytes]]:
    """The headers of a refusal.

    A retry helps if the server is temporarily unavailable, or if a limit says after how long the
    request may fit.
    """
    if isinstance(error, LimitReached):
        return error_headers(
            request_id,
            length,
            retry_after=error.retry_after,
            is_final=error.retry_after is None,
            resets_at=error.resets_at,
        )
    is_passing = isinstance(error, Unavailable)
    retry_after = UNAVAILABLE_SECONDS if is_passing else None
    return error_headers(request_id, length, retry_after=retry_after, is_final=not is_passing)


def response_headers(
    headers: RawHeaders, request_id: str, *, has_length: bool
) -> list[tuple[bytes, bytes]]:
    """The headers for the client: the upstream's without hop-by-hop headers, plus the request
    id.
    """
    passed = []
    for name, value in headers:
        lowered = name.lower()
        if (
            lowered in _NOT_TO_CLIENT
            or lowered.startswith(_NOT_TO_CLIENT_PREFIXES)
            or (lowered == b"content-length" and not has_length)
        ):
            continue
        passed.append((lowered, value))
    passed.append((REQUEST_ID, request_id.encode()))
    return passed

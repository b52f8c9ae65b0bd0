"""Which headers pass in which direction."""

from collections.abc import Sequence
from typing import Final

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
    b"forwarded",
    b"via",
    b"x-real-ip",
    # Credentials, and what they are to be used for: the upstream's own take their place.
    b"authorization",
    b"x-api-key",
    b"api-key",
    b"x-goog-api-key",
    b"openai-organization",
    b"openai-project",
    # What browsers say about us.
    b"origin",
    b"sec-fetch-dest",
    b"sec-fetch-mode",
    b"sec-fetch-site",
}
_NOT_TO_UPSTREAM_PREFIXES: Final = (b"x-forwarded-", b"x-outlay-", b"x-litellm-", b"helicone-")

_NOT_TO_CLIENT: Final = _HOP_BY_HOP | {
    b"set-cookie",
    b"date",
    b"server",
    b"alt-svc",
    b"strict-transport-security",
}

REQUEST_ID: Final = b"x-outlay-request-id"


def request_headers(
    headers: RawHeaders, listed: frozenset[bytes], secret_header: tuple[str, str] | None
) -> dict[str, str]:
    """What the upstream is sent: the client's headers without those that are ours or the hop's.

    `listed` are the names that the client's `Connection` header adds to the hop's.
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
    request_id: str, length: int, retry_after: int | None
) -> list[tuple[bytes, bytes]]:
    """The headers of an error of our own; `retry_after` in seconds."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(length).encode()),
        (b"cache-control", b"no-store"),
    ]
    if request_id:
        headers.append((REQUEST_ID, request_id.encode()))
    if retry_after is not None:
        headers.append((b"retry-after", str(retry_after).encode()))
    return headers


def response_headers(
    headers: RawHeaders, request_id: str, *, has_length: bool
) -> list[tuple[bytes, bytes]]:
    """What the client is sent: the upstream's headers without the hop's, and the request id."""
    passed = []
    for name, value in headers:
        lowered = name.lower()
        if lowered in _NOT_TO_CLIENT or (lowered == b"content-length" and not has_length):
            continue
        passed.append((lowered, value))
    passed.append((REQUEST_ID, request_id.encode()))
    return passed

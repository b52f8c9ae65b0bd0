"""Small outgoing HTTP requests: bounded in size and time, without redirects.

Allowed addresses are checked on the address itself, when its socket is created: a name that
resolves differently a moment later (DNS rebinding) does not bypass the check.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_plus

import aiohttp

from outlay.kit.addresses import Address
from outlay.kit.connection import BoundedConnector
from outlay.kit.egress import guarded_socket

MAX_BYTES: Final = 512 * 1024
MAX_HEADER_BYTES: Final = 16 * 1024
TIMEOUT_SECONDS: Final = 10.0


class FetchFailed(Exception):
    """There was no usable response; the text says why."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A response and the addresses it may have come from."""

    body: bytes
    addresses: tuple[Address, ...]
    """The addresses that a connection was tried to: all addresses of the host name."""


async def fetch(
    url: str,
    *,
    permits: Callable[[Address], bool],
    form: Mapping[str, str] | None = None,
    basic: tuple[str, str] | None = None,
) -> Fetched:
    """The response at a URL: by GET, or by POST of a form, with HTTP Basic authentication if given.

    `permits` tells whether an address may be connected to.
    """
    # A compressed body could expand to a thousand times its size.
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    if basic:
        headers["Authorization"] = _basic(*basic)
    tried: list[Address] = []

    def note(address: Address) -> bool:
        is_permitted = permits(address)
        if is_permitted:
            tried.append(address)
        return is_permitted

    try:
        async with (
            aiohttp.ClientSession(
                connector=BoundedConnector(
                    resolver=aiohttp.ThreadedResolver(),
                    socket_factory=guarded_socket(note),
                    force_close=True,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
                auto_decompress=False,
                max_line_size=MAX_HEADER_BYTES,
                max_field_size=MAX_HEADER_BYTES,
            ) as client,
            client.request(
                "GET" if form is None else "POST",
                url,
                data=form,
                headers=headers,
                allow_redirects=False,
            ) as response,
        ):
            body = await response.content.read(MAX_BYTES + 1)
            while len(body) <= MAX_BYTES and (more := await response.content.read(MAX_BYTES)):
                body += more
            if response.status != 200:
                raise FetchFailed(f"{url} returned status {response.status}.")
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise FetchFailed(f"{url} is unreachable ({type(error).__name__}: {error}).") from error
    if len(body) > MAX_BYTES:
        raise FetchFailed(f"{url} returned more than {MAX_BYTES // 1024} KiB.")
    return Fetched(body, tuple(tried))


def _basic(client_id: str, secret: str) -> str:
    """Both parts are form-encoded first (RFC 6749, section 2.3.1)."""
    text = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(text.encode()).decode()}"

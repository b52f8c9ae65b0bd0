"""Small HTTP requests of our own: bounded in size and time, never redirected."""

import base64
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote_plus

import aiohttp

MAX_BYTES: Final = 512 * 1024
TIMEOUT_SECONDS: Final = 10.0


class FetchFailed(Exception):
    """There was no answer, or not one to work with; the text says why."""


async def fetch(
    url: str, *, form: Mapping[str, str] | None = None, basic: tuple[str, str] | None = None
) -> bytes:
    """The body at a URL: by GET, or by POST of a form, with HTTP Basic authentication if given."""
    headers = {"Accept": "application/json"}
    if basic:
        headers["Authorization"] = _basic(*basic)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as client,
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
                raise FetchFailed(f"{url} answered with status {response.status}")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise FetchFailed(f"{url} could not be reached ({type(error).__name__})") from error
    if len(body) > MAX_BYTES:
        raise FetchFailed(f"{url} answered with more than {MAX_BYTES // 1024} KiB")
    return body


def _basic(client_id: str, secret: str) -> str:
    """Both are form-encoded first (RFC 6749, section 2.3.1)."""
    text = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(text.encode()).decode()}"

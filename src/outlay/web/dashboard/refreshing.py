"""How a page is refreshed in place: as a fragment, and only if more than its freshness changed.

`static/js/live.js` asks for the fragment of the page that is shown, and replaces what differs.
"""

import hashlib
import re
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse

FRAGMENT_HEADER: Final = "x-fragment"

_CLOCK: Final = re.compile(r"<!--live-clock-->.*?<!--/live-clock-->", re.DOTALL)
"""The part of a page that shows its freshness."""


def is_fragment(request: Request) -> bool:
    """Whether the inside of a page is asked for, without its shell."""
    return request.headers.get(FRAGMENT_HEADER) == "page"


def page_response(request: Request, body: str, status: int, as_of: str | None) -> HTMLResponse:
    """A page, or that it has not changed; `as_of` is its freshness, which does not count."""
    tag = _tag_of(body)
    headers = {"Vary": "X-Fragment", "ETag": tag}
    if as_of is not None:
        headers["Outlay-As-Of"] = as_of
    if is_fragment(request) and status == 200 and request.headers.get("if-none-match") == tag:
        return HTMLResponse(b"", 304, headers=headers)
    return HTMLResponse(body, status, headers=headers)


def _tag_of(body: str) -> str:
    """A weak ETag: the same for two pages that differ only in their freshness."""
    digest = hashlib.blake2b(_CLOCK.sub("", body).encode(), digest_size=12).hexdigest()
    return f'W/"{digest}"'

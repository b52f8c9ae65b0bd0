"""Jinja's environment, and what every page has around it."""

import hashlib
import re
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from outlay.domain.actor import Actor, Role
from outlay.domain.errors import OutlayError
from outlay.web.dashboard import formatting
from outlay.web.dashboard.shell import shell_of
from outlay.web.dashboard.static_files import static_url
from outlay.web.http.auth import request_id_of, services_of, session_actor
from outlay.wire.json_money import dump_json

THEME_COOKIE: Final = "outlay_theme"
THEMES: Final = ("system", "light", "dark")
FRAGMENT_HEADER: Final = "x-fragment"

MODULES: Final = (
    "app",
    "area",
    "chart",
    "charttools",
    "daterange",
    "dom",
    "fmt",
    "forms",
    "line",
    "live",
    "multiselect",
    "navigate",
    "scale",
    "selection",
)
"""Scripts that every page needs: fetched at once rather than one after the other."""

NEEDS_OWNER: Final = frozenset({"plan-required", "role-required"})
"""Refusals that an owner can turn into something else."""

_CLOCK: Final = re.compile(
    r"<!--live-clock-->.*?<!--/live-clock-->|\"(?:asOf|dataThrough)\":\"[^\"]*\"", re.DOTALL
)
"""What of a page tells how fresh it is."""

_UNSAFE_IN_SCRIPT: Final = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def embed_json(value: object) -> Markup:
    """JSON for a `<script type="application/json">`, with nothing that could end it."""
    return Markup(dump_json(value).decode().translate(_UNSAFE_IN_SCRIPT))  # noqa: S704 - escaped on this line


environment = Environment(
    loader=PackageLoader("outlay.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
environment.globals.update(
    static_url=static_url, embed_json=embed_json, format=formatting, modules=MODULES
)


def render_page(
    request: Request,
    template: str,
    *,
    actor: Actor | None,
    status: int = 200,
    **context: Any,
) -> HTMLResponse:
    """A page in its shell, or its inside alone for the fragment navigator."""
    theme = request.cookies.get(THEME_COOKIE, "system")
    is_fragment = request.headers.get(FRAGMENT_HEADER) == "page"
    body = environment.get_template(template).render(
        actor=actor,
        theme=theme if theme in THEMES else "system",
        path=request.url.path,
        here=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        shell=None if actor is None or is_fragment else shell_of(request, actor),
        base="fragment.html" if is_fragment else "layout.html",
        **context,
    )
    tag = _tag_of(body)
    headers = {"Vary": "X-Fragment", "ETag": tag}
    if "freshness" in context:
        headers["Outlay-As-Of"] = f"{context['freshness'].data_through:%H:%M:%S} UTC"
    if is_fragment and status == 200 and request.headers.get("if-none-match") == tag:
        return HTMLResponse(b"", 304, headers=headers)
    return HTMLResponse(body, status, headers=headers)


def _tag_of(body: str) -> str:
    """A weak ETag: two pages that differ in how fresh they are alone have the same."""
    digest = hashlib.blake2b(_CLOCK.sub("", body).encode(), digest_size=12).hexdigest()
    return f'W/"{digest}"'


def render_error(
    request: Request, status: int, title: str, message: str, code: str
) -> HTMLResponse:
    """An error as a page: inside the shell for whoever is signed in."""
    try:
        actor: Actor | None = session_actor(request)
    except OutlayError:
        actor = None
    return render_page(
        request,
        "error.html",
        actor=actor,
        status=status,
        error_status=status,
        title=title,
        message=message,
        code=code,
        owners=_owners(request, actor) if actor and code in NEEDS_OWNER else (),
        request_id=request_id_of(request),
    )


def _owners(request: Request, actor: Actor) -> list[str]:
    """Who can give what is missing: the names of the owners."""
    members = services_of(request).administration.members.of(actor)
    return [member.name for member in members if member.role is Role.OWNER]

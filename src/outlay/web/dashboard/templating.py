"""Jinja's environment, and the context of every page."""

from collections.abc import Mapping
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from outlay.domain.actor import Actor
from outlay.domain.errors import OutlayError
from outlay.domain.freshness import Freshness
from outlay.domain.period import Period
from outlay.web.dashboard import dates, formatting
from outlay.web.dashboard.dates import describe_clock, describe_date, describe_dates
from outlay.web.dashboard.navigation import lock_of, page_at
from outlay.web.dashboard.page_query import refused_of
from outlay.web.dashboard.places import discovered_path, key_path, project_path
from outlay.web.dashboard.refreshing import is_fragment, page_response
from outlay.web.dashboard.refusals import Refusal, describe_refusal
from outlay.web.dashboard.shell import shell_of
from outlay.web.dashboard.static_files import static_url
from outlay.web.http.auth import request_id_of, services_of, session_actor
from outlay.wire.json_money import dump_json

THEME_COOKIE: Final = "outlay_theme"
THEMES: Final = ("system", "light", "dark")

MODULES: Final = (
    "api",
    "app",
    "area",
    "chart",
    "chartpaper",
    "charttable",
    "charttools",
    "daterange",
    "dom",
    "fmt",
    "focus",
    "forms",
    "legend",
    "line",
    "live",
    "multiselect",
    "navigate",
    "pointing",
    "question",
    "scale",
    "selection",
    "series",
    "tip",
)
"""Scripts that every page needs: preloaded together rather than one after the other."""

REFUSALS: Final = frozenset({"plan-required", "role-required"})
"""Error codes for which the page explains what is missing."""

_UNSAFE_IN_SCRIPT: Final = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def embed_json(value: object) -> Markup:
    """JSON for a `<script type="application/json">`, without anything that could end the
    element."""
    return Markup(dump_json(value).decode().translate(_UNSAFE_IN_SCRIPT))  # noqa: S704 - escaped on this line


environment = Environment(
    loader=PackageLoader("outlay.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
environment.globals.update(
    static_url=static_url,
    embed_json=embed_json,
    format=formatting,
    dates=dates,
    modules=MODULES,
    lock_of=lock_of,
    project_path=project_path,
    key_path=key_path,
    discovered_path=discovered_path,
)


def render_page(
    request: Request,
    template: str,
    *,
    actor: Actor | None,
    status: int = 200,
    **context: Any,
) -> HTMLResponse:
    """A page with its frame, or its content only, for in-place navigation."""
    theme = request.cookies.get(THEME_COOKIE, "system")
    period: Period | None = context.get("period")
    zone = period.timezone if period else actor.timezone if actor else "UTC"
    is_inside = is_fragment(request)
    if status == 200 and refused_of(request).errors:
        status = 400
    body = environment.get_template(template).render(
        actor=actor,
        theme=theme if theme in THEMES else "system",
        page_zone=zone,
        path=request.url.path,
        here=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        shell=None if actor is None or is_inside else shell_of(request, actor),
        base="fragment.html" if is_inside else "layout.html",
        running=_running(actor, context),
        **context,
    )
    freshness: Freshness | None = context.get("freshness")
    as_of = describe_clock(freshness.data_through, zone) if freshness else None
    return page_response(request, body, status, as_of)


def _running(actor: Actor | None, context: Mapping[str, Any]) -> str:
    """The footer of printed pages: organization, page, period and date."""
    parts = [actor.organization_name] if actor else []
    parts.append(context["title"])
    period: Period | None = context.get("period")
    if period:
        parts += [describe_dates(period), period.timezone]
    if "freshness" in context:
        parts.append(f"as of {describe_date(context['freshness'].data_through)}")
    return " · ".join(parts)


def render_error(
    request: Request, status: int, title: str, message: str, code: str
) -> HTMLResponse:
    """An error as a page, inside the shell if someone is signed in."""
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
        refusal=_refusal(request, actor, code) if actor and code in REFUSALS else None,
        request_id=request_id_of(request),
    )


def _refusal(request: Request, actor: Actor, code: str) -> Refusal:
    owners = services_of(request).administration.members.owners(actor)
    return describe_refusal(actor, page_at(request.url.path), code, owners)

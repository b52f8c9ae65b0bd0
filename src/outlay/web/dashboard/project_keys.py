"""The API keys of a project, and those that reports of it name."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.errors import Invalid
from outlay.domain.measure import Rank
from outlay.domain.organization import ApiKey
from outlay.domain.policy import Permission, has, is_limited
from outlay.domain.query import MAX_TOP
from outlay.domain.result import ZERO, Breakdown, Entry, EntryKind
from outlay.kit.clock import from_us
from outlay.web.dashboard.formatting import (
    format_count,
    format_exact_count,
    format_exact_money,
    format_money,
)
from outlay.web.dashboard.frame import frame_of
from outlay.web.dashboard.pages import render_page
from outlay.web.dashboard.places import key_paths_in
from outlay.web.dashboard.project import read_project, remember, subject_of
from outlay.web.dashboard.sparkline import Sparkline, draw_sparkline
from outlay.web.http.auth import OnPage, base_url, services_of
from outlay.web.http.routes import Router

router = Router(prefix="/project", include_in_schema=False)

OWN: Final = frozenset({"search", "keyStatus"})
"""Parameters of the list itself."""

KEY_STATUSES: Final = ("active", "revoked", "expired", "reported")

KeyReader = Annotated[Actor, Depends(OnPage(Permission.KEY_USAGE))]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUsage:
    """What a key was used for in the period."""

    requests: str
    exact_requests: str
    cost: str
    exact_cost: str
    last: str
    """The last step with usage; a dash where there is none in the period."""
    sparkline: Sparkline | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A key and what it was used for in the period."""

    key: ApiKey
    status: str
    creator: str
    created: str
    used: KeyUsage
    statistics: str


@router.get("/{project_id}/keys")
def get_keys(request: Request, project_id: str, actor: KeyReader) -> Response:
    """The list."""
    services = services_of(request)
    project, query = read_project(request, project_id, actor, more=OWN)
    query = replace(query, group_by=Dimension.API_KEY, top=MAX_TOP)
    with services.analytics.read() as reader:
        found = services.analytics.breakdown_in(reader, query)
        frame = frame_of(request, reader, query, found.total)
    used = {entry.key: entry for entry in found.entries if entry.kind is EntryKind.VALUE}
    administration = services.administration
    creators = services.analytics.labels(actor.organization_id, Dimension.MEMBER)
    now_us = services.now_us()
    search, status = request.query_params.get("search", ""), _status(request)
    subject = subject_of(actor, project, "API keys", "What applications call the gateway with.")
    own = [k for k in administration.keys.of(actor) if k.project_id == project.project_id]
    reported = administration.discovered.named(actor, Dimension.API_KEY, list(used))
    keys = [
        key
        for key in (*own, *(entry.as_key() for entry in reported))
        if search.casefold() in f"{key.description} {key.hint}".casefold()
        and status in {"", key.status_at(now_us)}
    ]
    path_of = key_paths_in(
        services, actor, project, [key.api_key_id for key in keys], frame["links"]
    )
    rows = [
        KeyRow(
            key=key,
            status=key.status_at(now_us),
            creator=creators.get(key.member_id, "–"),
            created=from_us(key.created_at_us).strftime("%Y-%m-%d") if key.created_at_us else "–",
            statistics=path_of(key.api_key_id),
            used=_usage(found, used.get(key.api_key_id)),
        )
        for key in keys
    ]
    return remember(
        request,
        project,
        render_page(
            request,
            "project_keys.html",
            actor=actor,
            title=f"API keys · {project.name}",
            subject=replace(subject, export=""),
            project=project,
            rows=rows,
            search=search,
            key_status=status,
            statuses={name: name.capitalize() for name in KEY_STATUSES},
            members={
                member.member_id: member.name
                for member in administration.members.of(actor)
                if not is_limited(actor, Permission.KEYS_WRITE)
            },
            is_limited=is_limited(actor, Permission.KEYS_WRITE),
            may_limit=has(actor, Permission.LIMITS_WRITE),
            base_url=base_url(request),
            awaits_first=not services.analytics.has_events(actor.organization_id),
            **frame,
        ),
    )


def _status(request: Request) -> str:
    status = request.query_params.get("keyStatus", "")
    if status and status not in KEY_STATUSES:
        raise Invalid(f"keyStatus must be one of {', '.join(KEY_STATUSES)}", field="keyStatus")
    return status


def _usage(found: Breakdown, entry: Entry | None) -> KeyUsage:
    total = entry.total if entry else ZERO
    steps: Sequence[int] = sorted(entry.by_step) if entry else []
    values = [
        entry.at(index).rank_value(Rank.COST) if entry else 0 for index in range(len(found.steps))
    ]
    return KeyUsage(
        requests=format_count(total.requests),
        exact_requests=format_exact_count(total.requests),
        cost=format_money(total.cost_pusd),
        exact_cost=format_exact_money(total.cost_pusd),
        last=found.steps[steps[-1]].label.replace("T", " ") if steps else "–",
        sparkline=draw_sparkline(values, []) if entry else None,
    )

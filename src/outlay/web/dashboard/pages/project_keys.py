"""The API keys of a project, including discovered ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.answers import ZERO, Breakdown, Entry, EntryKind, Totals
from outlay.domain.dimension import Dimension
from outlay.domain.errors import Invalid
from outlay.domain.measure import Rank
from outlay.domain.organization import ApiKey
from outlay.domain.period import Interval
from outlay.domain.policy import Permission, has, is_limited
from outlay.kit.clock import from_us
from outlay.services.analytics.value_totals import read_value_totals
from outlay.web.dashboard.dates import describe_day, describe_step
from outlay.web.dashboard.drawing.sparkline import Sparkline, draw_sparkline
from outlay.web.dashboard.pages.project import read_project, remember, subject_of
from outlay.web.dashboard.paging import page_of
from outlay.web.dashboard.parts.amounts import Amounts, amounts_of
from outlay.web.dashboard.parts.frame import frame_of
from outlay.web.dashboard.places import key_paths_in
from outlay.web.dashboard.sorting import (
    SORTING,
    SortableColumn,
    error_rate_of,
    heads_of,
    read_order,
    sort_rows,
)
from outlay.web.dashboard.templating import render_page
from outlay.web.http.auth import OnPage, base_url, services_of
from outlay.web.http.routes import Router

router = Router(prefix="/project", include_in_schema=False)

OWN: Final = SORTING | {"search", "keyStatus", "page"}
"""Parameters of the list itself."""

COLUMNS: Final = {
    "description": SortableColumn("Description", is_number=False),
    "creator": SortableColumn("Creator", is_number=False),
    "created": SortableColumn("Created"),
    "cost": SortableColumn("Cost"),
    "requestCount": SortableColumn("Requests"),
    "totalTokens": SortableColumn("Tokens"),
    "errorRate": SortableColumn("Error rate"),
}

KEY_STATUSES: Final = ("active", "revoked", "expired", "reported")

KeyReader = Annotated[Actor, Depends(OnPage(Permission.KEY_USAGE))]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUsage:
    """The usage of a key in the period."""

    amounts: Amounts
    last: str
    """The last step with usage; a dash if there is none in the period."""
    sparkline: Sparkline | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A key and its usage in the period."""

    key: ApiKey
    status: str
    creator: str
    created: str
    used: KeyUsage
    statistics: str


@router.get("/{project_id}/keys")
def get_keys(request: Request, project_id: str, actor: KeyReader) -> Response:
    """Render the list."""
    services = services_of(request)
    project, query = read_project(request, project_id, actor, more=OWN)
    administration = services.administration
    creators = services.analytics.labels(actor.organization_id, Dimension.MEMBER)
    now_us = services.now_us()
    search, status = request.query_params.get("search", ""), _status(request)
    order = read_order(request.query_params, COLUMNS, "cost")
    lede = "Keys that applications use to call the gateway."
    subject = subject_of(actor, project, "API keys", lede)
    own = [k for k in administration.keys.list_for(actor) if k.project_id == project.project_id]
    with services.analytics.read() as reader:
        used = read_value_totals(reader, query, Dimension.API_KEY)
        reported = administration.discovered.named(actor, Dimension.API_KEY, list(used.values))
        keys = [
            key
            for key in (*own, *(entry.as_key() for entry in reported))
            if search.casefold() in f"{key.description} {key.hint}".casefold()
            and status in {"", key.status_at(now_us)}
        ]
        shown, paging = page_of(
            request, sort_rows(keys, order, _values(used.values, creators), _newest)
        )
        named = tuple(key.api_key_id for key in shown)
        found = services.analytics.breakdown_in(
            reader, replace(query, group_by=Dimension.API_KEY, named=named)
        )
        frame = frame_of(request, reader, query, used.total)
    entries = {entry.key: entry for entry in found.entries if entry.kind is EntryKind.VALUE}
    may_choose = not is_limited(actor, Permission.KEYS_WRITE)
    path_of = key_paths_in(services, actor, project, named, frame["links"])
    rows = [
        KeyRow(
            key=key,
            status=key.status_at(now_us),
            creator=creators.get(key.member_id, "–"),
            created=describe_day(from_us(key.created_at_us), query.period.timezone)
            if key.created_at_us
            else "–",
            statistics=path_of(key.api_key_id),
            used=_usage(found, query.interval, entries.get(key.api_key_id)),
        )
        for key in shown
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
            heads=heads_of(COLUMNS, order, frame["links"]),
            paging=paging,
            search=search,
            key_status=status,
            statuses={name: name.capitalize() for name in KEY_STATUSES},
            members={
                member.member_id: member.name for member in administration.members.list_for(actor)
            }
            if may_choose
            else {},
            is_limited=not may_choose,
            may_limit=has(actor, Permission.LIMITS_WRITE),
            base_url=base_url(request),
            awaits_first=not services.analytics.has_events(actor.organization_id),
            **frame,
        ),
    )


def _values(
    used: Mapping[str, Totals], creators: Mapping[str, str]
) -> Mapping[str, Callable[[ApiKey], Any]]:
    """The sort value of each column."""

    def totals(key: ApiKey) -> Totals:
        return used.get(key.api_key_id, ZERO)

    return {
        "description": lambda key: key.description.casefold(),
        "creator": lambda key: creators.get(key.member_id, "").casefold(),
        "created": lambda key: key.created_at_us,
        "cost": lambda key: totals(key).cost_pusd,
        "requestCount": lambda key: totals(key).requests,
        "totalTokens": lambda key: totals(key).total_tokens,
        "errorRate": lambda key: error_rate_of(totals(key)),
    }


def _newest(key: ApiKey) -> tuple[int, str]:
    return -key.created_at_us, key.api_key_id


def _status(request: Request) -> str:
    status = request.query_params.get("keyStatus", "")
    if status and status not in KEY_STATUSES:
        raise Invalid(f"`keyStatus` must be one of {', '.join(KEY_STATUSES)}.", field="keyStatus")
    return status


def _usage(found: Breakdown, interval: Interval, entry: Entry | None) -> KeyUsage:
    total = entry.total if entry else ZERO
    steps: Sequence[int] = sorted(entry.by_step) if entry else []
    values = [
        entry.at(index).rank_value(Rank.COST) if entry else 0 for index in range(len(found.steps))
    ]
    return KeyUsage(
        amounts=amounts_of(total),
        last=describe_step(found.steps[steps[-1]], interval) if steps else "–",
        sparkline=draw_sparkline(values, []) if entry else None,
    )

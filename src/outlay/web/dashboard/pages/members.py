"""The members of the organization by spend, and the usage of one member."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.answers import Entry, EntryKind, Totals
from outlay.domain.dimension import Dimension
from outlay.domain.ids import MemberId
from outlay.domain.measure import Rank
from outlay.domain.organization import Member
from outlay.domain.period import Interval
from outlay.domain.policy import Permission
from outlay.domain.query import QUALITY_MEASURES
from outlay.services.analytics.labels import mark_deleted
from outlay.services.analytics.profiles import read_profile_in
from outlay.services.analytics.usage_tables import UsageRow
from outlay.web.dashboard.formatting import (
    format_count,
    format_exact_money,
    format_money,
    format_number_of,
    format_percent,
)
from outlay.web.dashboard.page_query import page_params, page_query
from outlay.web.dashboard.paging import page_of
from outlay.web.dashboard.parts.amounts import Amounts, amounts_of
from outlay.web.dashboard.parts.frame import PAGE_ONLY, filters_for, frame_of
from outlay.web.dashboard.parts.headlines import describe_totals
from outlay.web.dashboard.parts.usage import (
    Crumb,
    Subject,
    has_usage,
    models_context,
    render_first_steps,
)
from outlay.web.dashboard.sorting import (
    SORTING,
    SortableColumn,
    error_rate_of,
    heads_of,
    read_order,
    sort_rows,
)
from outlay.web.dashboard.templating import render_page
from outlay.web.http.auth import OnPage, services_of
from outlay.web.http.query_strings import read_text
from outlay.web.http.routes import Router
from outlay.web.http.usage_params import COMMON

router = Router(prefix="/organization/members", include_in_schema=False)

PAGE_ROWS: Final = 50
COLUMNS: Final = {
    "name": SortableColumn("Member", is_number=False),
    "role": SortableColumn("Role", is_number=False),
    "cost": SortableColumn("Cost"),
    "totalTokens": SortableColumn("Tokens"),
    "requestCount": SortableColumn("Requests"),
    "errorRate": SortableColumn("Error rate"),
    "apiKeyCount": SortableColumn("API keys"),
}
LIST: Final = COMMON | SORTING | {"search", "page"} | PAGE_ONLY
PROFILE: Final = (COMMON | {"bucket"} | PAGE_ONLY) - {"memberId"}
SUBJECT: Final = Subject(
    title="Members",
    crumbs=(Crumb("Organization"),),
    lede="Who spends what. Usage is attributed to the creator of each API key.",
    export="/api/v1/exports/report?groupBy=member",
    groupings={},
)

Leader = Annotated[Actor, Depends(OnPage(Permission.ORGANIZATION_USAGE))]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    """A member and the usage of their API keys."""

    name: str
    email: str
    initials: str
    role: str
    is_former: bool
    path: str
    used: Amounts
    share: int
    """Of the total cost, in thousandths."""
    keys: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MostUsed:
    """The value with the most requests."""

    title: str
    name: str
    share: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TopRow:
    """A line of a short table."""

    label: str
    kind: str
    cost: str
    exact_cost: str
    requests: str
    share: str
    bar: int
    """In thousandths of the longest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopTable:
    """The top values; the complete ranking has the others."""

    title: str
    rows: Sequence[TopRow]
    dimension: Dimension


@router.get("")
def get_members(request: Request, actor: Leader) -> Response:
    """The list, by spend by default; includes former members with usage."""
    services, params = services_of(request), page_params(request, LIST)
    if not has_usage(request, actor):
        return render_first_steps(request, actor, SUBJECT)
    query = page_query(request, params, actor, group_by=None)
    query = replace(query, interval=Interval.TOTAL, measures=QUALITY_MEASURES)
    table, key_counts = services.usage_tables.members(query)
    search = (read_text(params, "search") or "").casefold()
    order = read_order(params, COLUMNS, "cost")
    rows = sort_rows(
        [row for row in table.rows if search in _searchable(row)],
        order,
        _values(key_counts),
        lambda row: row.key,
    )
    shown, paging = page_of(request, rows, PAGE_ROWS)
    with services.analytics.read() as reader:
        frame = frame_of(request, reader, query, table.total, filters_for(actor))
    return render_page(
        request,
        "members.html",
        actor=actor,
        title=SUBJECT.title,
        subject=SUBJECT,
        rows=[
            _row(row, table.total, key_counts.get(row.key, 0), frame["links"].travel)
            for row in shown
        ],
        unattributed=amounts_of(table.unattributed) if table.unattributed.requests else None,
        totals=amounts_of(table.total),
        heads=heads_of(COLUMNS, order, frame["links"]),
        search=search,
        paging=paging,
        window_words=describe_totals(table.total),
        **frame,
    )


@router.get("/{member_id}")
def get_member(request: Request, member_id: MemberId, actor: Leader) -> Response:
    """One current or former member."""
    services = services_of(request)
    params = page_params(request, PROFILE)
    member = services.usage_tables.member(actor.organization_id, member_id)
    query = page_query(request, params, actor)
    query = query.only(Dimension.MEMBER, member_id)
    with services.analytics.read() as reader:
        profile = read_profile_in(reader, services.analytics, query)
        context = models_context(request, reader, query, filters=filters_for(actor))
    subject = Subject(
        title=mark_deleted(member.name, member),
        crumbs=(Crumb("Organization"), Crumb("Members", "/organization/members")),
        lede="",
        export=f"/api/v1/exports/report?groupBy=model,project,apiKey&memberId={member_id}",
        ranking=f"/organization/ranking?memberId={member_id}",
        groupings={},
    )
    links = context["links"]
    administration = services.administration
    projects = services.analytics.labels(actor.organization_id, Dimension.PROJECT)
    return render_page(
        request,
        "member.html",
        actor=actor,
        title=f"{subject.title} · Member",
        subject=subject,
        member=member,
        initials=initials_of(member.name),
        most_used=[
            _most_used(title, profile.most_used[dimension], profile.total)
            for dimension, title in _MOST.items()
        ],
        tops=[
            TopTable(
                title=title,
                rows=_top(profile.top[dimension], profile.total),
                dimension=dimension,
            )
            for dimension, title in _TOPS.items()
        ],
        by_cost=Rank.COST,
        keys=[
            (
                key,
                projects.get(key.project_id, "–"),
                links.travel(f"/project/{key.project_id}/keys/{key.api_key_id}"),
            )
            for key in administration.keys.list_for(actor)
            if key.member_id == member_id
        ],
        requests_path=links.travel("/monitoring/requests", memberId=member_id),
        filter_scope=f"memberId={member_id}",
        **context,
    )


_TOPS: Final = {Dimension.PROVIDER: "Top providers", Dimension.APP: "Top apps"}
_MOST: Final = {
    Dimension.MODEL: "Top model",
    Dimension.PROVIDER: "Top provider",
    Dimension.APP: "Top app",
}


def initials_of(name: str) -> str:
    """Up to two initials of a person."""
    words = name.split()
    letters = [words[0][:1], words[-1][:1]] if len(words) > 1 else [name[:2]]
    return "".join(letters).upper()


def _values(
    key_counts: Mapping[str, int],
) -> Mapping[str, Callable[[UsageRow[Member]], Any]]:
    """The sort value of each column."""
    return {
        "name": lambda row: row.name.casefold(),
        "role": lambda row: role_of(row),
        "cost": lambda row: row.totals.cost_pusd,
        "totalTokens": lambda row: row.totals.total_tokens,
        "requestCount": lambda row: row.totals.requests,
        "errorRate": lambda row: error_rate_of(row.totals),
        "apiKeyCount": lambda row: key_counts.get(row.key, 0),
    }


def role_of(row: UsageRow[Member]) -> str:
    """The role of a member; `unknown` for users known only from reports."""
    return row.thing.role.value if row.thing else "unknown"


def _searchable(row: UsageRow[Member]) -> str:
    return f"{row.name}\n{row.thing.email if row.thing else row.key}".casefold()


def _row(
    row: UsageRow[Member], total: Totals, keys: int, travel: Callable[[str], str]
) -> MemberRow:
    member, used = row.thing, row.totals
    name = mark_deleted(row.name, member) if member else row.name
    return MemberRow(
        name=name,
        email=member.email if member and not member.is_deleted else "",
        initials=initials_of(row.name),
        role=role_of(row),
        is_former=member is None or member.is_deleted,
        path=travel(f"/organization/members/{row.key}") if member else "",
        share=1000 * used.cost_pusd // total.cost_pusd if total.cost_pusd else 0,
        keys=keys,
        used=amounts_of(used),
    )


def _most_used(title: str, entry: Entry | None, total: Totals) -> MostUsed:
    if entry is None:
        return MostUsed(title=title, name="–", share="", note="Not set by any request")
    return MostUsed(
        title=title,
        name=entry.label,
        share=format_percent(entry.total.requests, total.requests),
        note=f"{format_number_of(entry.total.requests, 'request')} · "
        f"{format_money(entry.total.cost_pusd)}",
    )


def _top(entries: Sequence[Entry], total: Totals) -> list[TopRow]:
    longest = max((entry.total.rank_value(Rank.COST) for entry in entries), default=0)
    return [
        TopRow(
            label=f"Other ({entry.members})" if entry.kind is EntryKind.OTHER else entry.label,
            kind=entry.kind.value,
            cost=format_money(entry.total.cost_pusd),
            exact_cost=format_exact_money(entry.total.cost_pusd),
            requests=format_count(entry.total.requests),
            share=format_percent(entry.total.cost_pusd, total.cost_pusd),
            bar=1000 * entry.total.cost_pusd // longest if longest else 0,
        )
        for entry in entries
    ]

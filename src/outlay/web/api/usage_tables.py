"""`/api/v1/analytics/members`, `/users`, `/projects`, `/groups` and `/users-and-groups`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.answers import Breakdown, Totals
from outlay.domain.answers import Entry as ResultEntry
from outlay.domain.dimension import Dimension
from outlay.domain.measure import Rank
from outlay.domain.money import divide_half_even
from outlay.domain.organization import Member
from outlay.domain.period import Interval
from outlay.domain.policy import Permission
from outlay.domain.query import QUALITY_MEASURES, UsageQuery
from outlay.services.analytics.own_usage import own_keys_only
from outlay.services.analytics.users_and_groups import (
    TOP_BY_COST,
    TOP_BY_REQUESTS,
    read_users_and_groups,
    top_of,
)
from outlay.services.bundle import Services
from outlay.web.http.answers.activity import Entry
from outlay.web.http.answers.measures import RowTotals, in_ms, measured
from outlay.web.http.answers.tables import (
    GroupEntry,
    GroupRow,
    GroupSeries,
    GroupTable,
    MemberRow,
    MemberTable,
    ProjectRow,
    ProjectTable,
    Tiles,
    UserPage,
    UserRow,
    UsersAndGroups,
    UserSeries,
)
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.rendering import (
    entry_fields,
    render_entry,
    render_meta,
    render_points,
)
from outlay.web.http.routes import Router
from outlay.web.http.usage_params import (
    COMPARISON,
    MoneyParams,
    TableParams,
    UsageParams,
    UserViewParams,
)
from outlay.wire.json_money import Money

router = Router(prefix="/analytics", tags=["analytics"])

_R = TypeVar("_R", bound=RowTotals)

OrganizationReader = Annotated[Actor, Depends(Requires(Permission.ORGANIZATION_USAGE))]

Table = Annotated[TableParams, Depends(TableParams.of)]


@dataclass(frozen=True, kw_only=True)
class UserParams(UserViewParams, TableParams):
    """A page of the table of users."""


@dataclass(frozen=True, kw_only=True)
class SteppedParams(UsageParams, MoneyParams, without=(*COMPARISON, "group_by", "top", "rank_by")):
    """Usage over time."""


@router.get("/members")
def get_members(request: Request, actor: OrganizationReader, asked: Table) -> MemberTable:
    """Usage of every member, by the member who created the API key."""
    services = services_of(request)
    query = _whole(services, actor, asked)
    freshness = services.analytics.freshness()
    table, key_counts = services.usage_tables.members(query)
    return MemberTable(
        members=[
            row_of(
                MemberRow,
                row.totals,
                **person_fields(row.key, row.name, row.thing),
                api_key_count=key_counts.get(row.key, 0),
            )
            for row in table.rows
        ],
        unattributed=row_of(RowTotals, table.unattributed),
        totals=row_of(RowTotals, table.total),
        meta=render_meta(query, table.total, freshness),
    )


@router.get("/projects")
def get_projects(
    request: Request,
    actor: Annotated[Actor, Depends(Requires(Permission.PROJECT_USAGE))],
    asked: Table,
) -> ProjectTable:
    """Usage of every project; for developers, the usage of their own API keys in it."""
    services = services_of(request)
    query = own_keys_only(actor, _whole(services, actor, asked), Permission.PROJECT_USAGE)
    freshness = services.analytics.freshness()
    table = services.usage_tables.projects(query)
    return ProjectTable(
        projects=[
            row_of(
                ProjectRow,
                row.totals,
                project_id=row.key,
                name=row.name,
                is_deleted=row.thing is not None and row.thing.is_deleted,
                is_discovered=row.thing is None,
            )
            for row in table.rows
        ],
        unattributed=row_of(RowTotals, table.unattributed),
        totals=row_of(RowTotals, table.total),
        meta=render_meta(query, table.total, freshness),
    )


@router.get("/groups")
def get_groups(request: Request, actor: OrganizationReader, asked: Table) -> GroupTable:
    """Usage of every user group; a request counts in each group of its user."""
    services = services_of(request)
    query = _whole(services, actor, asked)
    freshness = services.analytics.freshness()
    table, member_counts = services.usage_tables.groups(query)
    return GroupTable(
        groups=[
            row_of(
                GroupRow,
                row.totals,
                group_id=row.key,
                name=row.name,
                is_deleted=row.thing is not None and row.thing.is_deleted,
                is_discovered=row.thing is None,
                member_count=member_counts.get(row.key, 0),
            )
            for row in table.rows
        ],
        unattributed=row_of(RowTotals, table.unattributed),
        totals=row_of(RowTotals, table.total),
        meta=render_meta(query, table.total, freshness, groups_overlap=True),
    )


@router.get("/users")
def get_users(
    request: Request,
    actor: OrganizationReader,
    asked: Annotated[UserParams, Depends(UserParams.of)],
) -> UserPage:
    """The table of users: sorted, searched, page by page, with the totals of a selection."""
    services = services_of(request)
    query = _whole(services, actor, asked)
    view = asked.view()
    freshness = services.analytics.freshness()
    page = services.usage_tables.users(query, view)
    return UserPage(
        users=[
            row_of(UserRow, row.totals, **person_fields(row.key, row.name, row.thing))
            for row in page.rows
        ],
        page=view.page,
        page_size=view.page_size,
        page_count=page.page_count,
        user_count=page.user_count,
        matching=row_of(RowTotals, page.matching),
        selection=row_of(RowTotals, page.selection) if view.selected else None,
        unattributed=row_of(RowTotals, page.unattributed),
        totals=row_of(RowTotals, page.total),
        meta=render_meta(query, page.total, freshness),
    )


@router.get("/users-and-groups")
def get_users_and_groups(
    request: Request,
    actor: OrganizationReader,
    asked: Annotated[SteppedParams, Depends(SteppedParams.of)],
) -> UsersAndGroups:
    """The numbers of the page Users & Groups: headline numbers, top users, and series of both."""
    services = services_of(request)
    query = asked.query(actor, services.analytics)
    freshness = services.analytics.freshness()
    found = read_users_and_groups(services.analytics, query)
    groups = found.groups
    return UsersAndGroups(
        tiles=measured(
            Tiles,
            found.total,
            active_user_count=found.active[Dimension.USER],
            active_project_count=found.active[Dimension.PROJECT],
            active_group_count=found.active[Dimension.GROUP],
        ),
        top_users_by_cost=_entries(top_of(found.users, Rank.COST, TOP_BY_COST)),
        top_users_by_requests=_entries(top_of(found.users, Rank.REQUESTS, TOP_BY_REQUESTS)),
        user_series=_user_series(groups, found.active_users),
        groups=[_group_series(groups, entry) for entry in groups.entries],
        points=render_points(groups, freshness),
        totals=row_of(RowTotals, found.total),
        meta=render_meta(
            query, found.total, freshness, entries=groups.entries, groups_overlap=True
        ),
    )


def _entries(entries: Sequence[ResultEntry]) -> list[Entry]:
    return [render_entry(entry) for entry in entries]


def _user_series(result: Breakdown, active_users: Sequence[int]) -> UserSeries:
    """Spend per request and tokens per active user, by step."""
    steps = [result.at(index) for index in range(len(result.steps))]
    return UserSeries(
        active_user_count=[*active_users],
        cost_per_request=[_cost_per_request(totals) for totals in steps],
        tokens_per_user=[
            totals.total_tokens / users if users else None
            for totals, users in zip(steps, active_users, strict=True)
        ],
    )


def _group_series(result: Breakdown, entry: ResultEntry) -> GroupEntry:
    steps = [entry.at(index) for index in range(len(result.steps))]
    series = GroupSeries(
        cost=[Money(totals.cost_pusd) for totals in steps],
        request_count=[totals.requests for totals in steps],
        total_tokens=[totals.total_tokens for totals in steps],
        cost_per_request=[_cost_per_request(totals) for totals in steps],
    )
    return measured(GroupEntry, entry.total, **entry_fields(entry), series=series)


def _cost_per_request(totals: Totals) -> Money | None:
    if not totals.requests:
        return None
    return Money(divide_half_even(totals.cost_pusd, totals.requests))


def person_fields(user_id: str, name: str, member: Member | None) -> dict[str, Any]:
    """The fields of a Person; the directory does not have all of them."""
    return {
        "user_id": user_id,
        "name": name,
        "email": member.email if member and not member.is_deleted else None,
        "role": member.role if member else None,
        "is_former": member is not None and member.is_deleted,
        "is_member": member is not None and not member.is_deleted,
    }


def _whole(services: Services, actor: Actor, asked: TableParams) -> UsageQuery:
    """The question about the whole period, with the measures of tables."""
    query = asked.query(actor, services.analytics)
    return replace(query, interval=Interval.TOTAL, measures=_READ)


def row_of(kind: type[_R], totals: Totals, /, **others: object) -> _R:
    """A row of a table."""
    latency = in_ms(totals.average_latency_us)
    return measured(kind, totals, average_latency_ms=latency, **others)


_SHOWN: Final = (
    "cost_pusd",
    "requests",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "errors",
    "client_errors",
    "unpriced_requests",
    "partly_priced_requests",
)


_READ: Final = (*dict.fromkeys((*_SHOWN, *QUALITY_MEASURES, "duration_us", "timed_requests")),)

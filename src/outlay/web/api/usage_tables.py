"""`/api/v1/analytics/members`, `/users`, `/projects`, `/groups` and both of the last together."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.answers import Breakdown, Entry, Totals
from outlay.domain.dimension import Dimension
from outlay.domain.freshness import Freshness
from outlay.domain.measure import Rank
from outlay.domain.money import divide_half_even
from outlay.domain.organization import Member
from outlay.domain.period import Interval
from outlay.domain.policy import Permission
from outlay.domain.query import QUALITY_MEASURES, UsageQuery
from outlay.services.analytics.own_usage import own_keys_only
from outlay.services.analytics.usage_tables import UsageTable
from outlay.services.analytics.users_and_groups import (
    TOP_BY_COST,
    TOP_BY_REQUESTS,
    read_users_and_groups,
    top_of,
)
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.params import (
    AS_JSON,
    COMMON,
    check_names,
    read_query,
    read_user_view,
)
from outlay.web.http.query_parameters import documented
from outlay.web.http.rendering import (
    Json,
    in_ms,
    json_answer,
    render_entry,
    render_meta,
    render_money,
    render_points,
    render_totals,
)
from outlay.web.http.routes import Router

router = Router(prefix="/analytics", tags=["analytics"])

OrganizationReader = Annotated[Actor, Depends(Requires(Permission.ORGANIZATION_USAGE))]

TABLE: Final = COMMON | AS_JSON
USERS: Final = TABLE | {"sort", "order", "search", "page", "pageSize", "selected"}
STEPPED: Final = TABLE | {"bucket"}


@router.get("/members", openapi_extra=documented(TABLE))
def get_members(request: Request, actor: OrganizationReader) -> Response:
    """Usage of every member, put down to who created the API key."""
    services = services_of(request)
    query = _whole(request, actor)
    freshness = services.analytics.freshness()
    table, key_counts = services.usage_tables.members(query)
    rows = [
        {
            **render_member(row.key, row.name, row.thing),
            "apiKeyCount": key_counts.get(row.key, 0),
            **_numbers(row.totals),
        }
        for row in table.rows
    ]
    return _answer(request, freshness, query, table, {"members": rows})


@router.get("/projects", openapi_extra=documented(TABLE))
def get_projects(
    request: Request, actor: Annotated[Actor, Depends(Requires(Permission.PROJECT_USAGE))]
) -> Response:
    """Usage of every project; for developers that of their own API keys in it."""
    services = services_of(request)
    query = own_keys_only(actor, _whole(request, actor), Permission.PROJECT_USAGE)
    freshness = services.analytics.freshness()
    table = services.usage_tables.projects(query)
    rows = [
        {
            "projectId": row.key,
            "name": row.name,
            "isDeleted": row.thing is not None and row.thing.is_deleted,
            "isDiscovered": row.thing is None,
            **_numbers(row.totals),
        }
        for row in table.rows
    ]
    return _answer(request, freshness, query, table, {"projects": rows})


@router.get("/groups", openapi_extra=documented(TABLE))
def get_groups(request: Request, actor: OrganizationReader) -> Response:
    """Usage of every user group; a request counts in each group of its user."""
    services = services_of(request)
    query = _whole(request, actor)
    freshness = services.analytics.freshness()
    table, member_counts = services.usage_tables.groups(query)
    rows = [
        {
            "groupId": row.key,
            "name": row.name,
            "isDeleted": row.thing is not None and row.thing.is_deleted,
            "isDiscovered": row.thing is None,
            "memberCount": member_counts.get(row.key, 0),
            **_numbers(row.totals),
        }
        for row in table.rows
    ]
    return _answer(request, freshness, query, table, {"groups": rows}, overlap=True)


@router.get("/users", openapi_extra=documented(USERS))
def get_users(request: Request, actor: OrganizationReader) -> Response:
    """The table of users: sorted, searched, a page at a time, with the totals of a selection."""
    services = services_of(request)
    params = request.query_params
    query = _whole(request, actor, USERS)
    view = read_user_view(params)
    freshness = services.analytics.freshness()
    page = services.usage_tables.users(query, view)
    return json_answer(
        request,
        {
            "users": [
                {**render_member(row.key, row.name, row.thing), **_numbers(row.totals)}
                for row in page.rows
            ],
            "page": view.page,
            "pageSize": view.page_size,
            "pageCount": page.page_count,
            "userCount": page.user_count,
            "matching": _numbers(page.matching),
            "selection": _numbers(page.selection) if view.selected else None,
            "unattributed": _numbers(page.unattributed),
            "totals": _numbers(page.total),
            "meta": render_meta(query, page.total, freshness),
        },
    )


@router.get("/users-and-groups", openapi_extra=documented(STEPPED))
def get_users_and_groups(request: Request, actor: OrganizationReader) -> Response:
    """What the page Users & Groups shows: tiles, rankings, and series of both."""
    services = services_of(request)
    check_names(request.query_params, STEPPED)
    query = read_query(request.query_params, actor, services.analytics, group_by=None)
    freshness = services.analytics.freshness()
    found = read_users_and_groups(services.analytics, query)
    tiles: Json = render_totals(found.total, ("requests", "cost_pusd"))
    tiles |= {
        "activeUserCount": found.active[Dimension.USER],
        "activeProjectCount": found.active[Dimension.PROJECT],
        "activeGroupCount": found.active[Dimension.GROUP],
    }
    groups = found.groups
    meta = render_meta(query, found.total, freshness, groups.entries)
    return json_answer(
        request,
        {
            "tiles": tiles,
            "topUsersByCost": _entries(top_of(found.users, Rank.COST, TOP_BY_COST)),
            "topUsersByRequests": _entries(top_of(found.users, Rank.REQUESTS, TOP_BY_REQUESTS)),
            "userSeries": _user_series(groups, found.active_users),
            "groups": [_group_series(groups, entry) for entry in groups.entries],
            "points": render_points(groups, freshness),
            "totals": _numbers(found.total),
            "meta": meta | {"groupsOverlap": True},
        },
    )


def _entries(entries: Sequence[Entry]) -> list[Json]:
    return [render_entry(entry) for entry in entries]


def _user_series(result: Breakdown, active_users: Sequence[int]) -> Json:
    """Spend per request and tokens per active user, step by step."""
    steps = [result.at(index) for index in range(len(result.steps))]
    return {
        "activeUserCount": active_users,
        "costPerRequest": [_cost_per_request(totals) for totals in steps],
        "tokensPerUser": [
            totals.total_tokens / users if users else None
            for totals, users in zip(steps, active_users, strict=True)
        ],
    }


def _group_series(result: Breakdown, entry: Entry) -> Json:
    steps = [entry.at(index) for index in range(len(result.steps))]
    return {
        **render_entry(entry),
        "series": {
            "cost": [render_money(totals.cost_pusd) for totals in steps],
            "requestCount": [totals.requests for totals in steps],
            "totalTokens": [totals.total_tokens for totals in steps],
            "costPerRequest": [_cost_per_request(totals) for totals in steps],
        },
    }


def _cost_per_request(totals: Totals) -> object:
    if not totals.requests:
        return None
    return render_money(divide_half_even(totals.cost_pusd, totals.requests))


def render_member(user_id: str, name: str, member: Member | None) -> Json:
    """Who a row is about; None for somebody whom the directory does not know."""
    return {
        "userId": user_id,
        "name": name,
        "email": member.email if member and not member.is_deleted else None,
        "role": member.role.value if member else None,
        "isFormer": member is not None and member.is_deleted,
        "isMember": member is not None and not member.is_deleted,
    }


def _whole(request: Request, actor: Actor, names: frozenset[str] = TABLE) -> UsageQuery:
    """The question of a query string over the whole window, with all measures."""
    check_names(request.query_params, names)
    query = read_query(request.query_params, actor, services_of(request).analytics, group_by=None)
    return replace(query, interval=Interval.TOTAL, measures=_READ)


def _numbers(totals: Totals) -> Json:
    return {
        **render_totals(totals, _SHOWN),
        "averageLatencyMs": in_ms(totals.average_latency_us),
    }


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


def _answer(
    request: Request,
    freshness: Freshness,
    query: UsageQuery,
    table: UsageTable[Any],
    rows: Mapping[str, list[Json]],
    *,
    overlap: bool = False,
) -> Response:
    meta = render_meta(query, table.total, freshness)
    return json_answer(
        request,
        {
            **rows,
            "unattributed": _numbers(table.unattributed),
            "totals": _numbers(table.total),
            "meta": meta | {"groupsOverlap": overlap},
        },
    )

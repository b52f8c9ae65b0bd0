"""Users & groups: spend of users and of groups, separately and together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.answers import Breakdown, Comparison, EntryKind
from outlay.domain.dimension import Dimension
from outlay.domain.error_codes import ErrorCode
from outlay.domain.freshness import Freshness
from outlay.domain.measure import Rank
from outlay.domain.period import Interval
from outlay.domain.policy import Permission
from outlay.domain.query import UsageQuery
from outlay.services.analytics.usage_tables import UserSort, UserView
from outlay.services.analytics.users_and_groups import (
    COMBINED,
    TOP_BY_COST,
    TOP_BY_REQUESTS,
    Contradiction,
    UsersAndGroups,
    contradictions_in,
    read_users_and_groups_in,
    top_of,
)
from outlay.services.bundle import Services
from outlay.storage.cube.store import CubeReader
from outlay.web.dashboard.formatting import format_count, format_exact_count
from outlay.web.dashboard.links import Links
from outlay.web.dashboard.page_query import page_params, page_query
from outlay.web.dashboard.parts.chart_data import LineChart, Unit
from outlay.web.dashboard.parts.colours import colours_of, ranked_in
from outlay.web.dashboard.parts.compared import describe_compared
from outlay.web.dashboard.parts.frame import FILTER_OF, PAGE_ONLY, frame_of
from outlay.web.dashboard.parts.headlines import Card, cards_of, describe_totals
from outlay.web.dashboard.parts.lines import (
    LineSeries,
    cost_per_request,
    line_data,
    lines_of_entries,
    tokens_of,
)
from outlay.web.dashboard.parts.ranking import SHOWN, Ranking, rank_entries
from outlay.web.dashboard.parts.usage import Crumb, Subject, has_usage, render_first_steps
from outlay.web.dashboard.parts.user_rows import UserLine, leads_to_user, line_of_entry, line_of_row
from outlay.web.dashboard.sorting import SORTING, SortableColumn, heads_of, read_order
from outlay.web.dashboard.templating import render_page
from outlay.web.http.auth import OnPage, services_of
from outlay.web.http.query_strings import read_choice
from outlay.web.http.routes import Router
from outlay.web.http.usage_params import COMMON

router = Router(include_in_schema=False)

PARAMETERS: Final = COMMON | {"bucket"} | SORTING | PAGE_ONLY
OVERVIEW_ROWS: Final = 100
BARS: Final = {Rank.COST: "spend", Rank.REQUESTS: "requests"}
"""The rank of users and groups in each of their cards."""

FILTERS: Final = {"userId": "Users", "projectId": "Projects", "groupId": "User groups"}
SUBJECT: Final = Subject(
    title="Users & groups",
    crumbs=(Crumb("Organization"),),
    lede="Who spends what, by user and user group.",
    export="/api/v1/exports/report?groupBy=group,user,project",
    ranking="/organization/ranking",
    groupings={},
)


class TableView(StrEnum):
    """Which table of users is shown."""

    SPEND = "spend"
    REQUESTS = "requests"
    OVERVIEW = "overview"


TABLE_TITLES: Final = {
    TableView.SPEND: "Top users by spend",
    TableView.REQUESTS: "Top 20 users by requests",
    TableView.OVERVIEW: "Users overview",
}


OVERVIEW: Final = {
    UserSort.NAME.value: SortableColumn("User", is_number=False),
    UserSort.COST.value: SortableColumn("Cost"),
    UserSort.REQUESTS.value: SortableColumn("Requests"),
    UserSort.INPUT.value: SortableColumn("Input tokens"),
    UserSort.OUTPUT.value: SortableColumn("Output tokens"),
}
"""The sort order of the table of all users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BarCard:
    """A card with a ranking by one number."""

    key: str
    title: str
    metric: Rank
    ranking: Ranking


@dataclass(frozen=True, slots=True, kw_only=True)
class LineCard:
    """A card with a line chart."""

    key: str
    title: str
    data: LineChart


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageHalf:
    """The users' or the groups' half of the page: bars and lines."""

    bars: Sequence[BarCard]
    lines: Sequence[LineCard]
    filter_name: str
    dimension: Dimension


@router.get("/organization/users-and-groups")
def get_users_and_groups(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.ORGANIZATION_USAGE))]
) -> Response:
    """Render spend by user and user group."""
    services = services_of(request)
    params = page_params(request, PARAMETERS)
    if not has_usage(request, actor):
        return render_first_steps(request, actor, SUBJECT)
    query = page_query(request, params, actor, group_by=None)
    freshness = services.analytics.freshness()
    with services.analytics.read() as reader:
        found = read_users_and_groups_in(reader, services.analytics, query)
        users = _compare(services, reader, query, Dimension.USER)
        groups = _compare(services, reader, query, Dimension.GROUP)
        frame = frame_of(request, reader, query, found.total, FILTERS)
        clashes = contradictions_in(reader, query) if not found.total.requests else []
    order = read_order(request.query_params, OVERVIEW, UserSort.COST.value)
    everybody = services.usage_tables.users(
        replace(query, interval=Interval.TOTAL),
        UserView(
            sort=UserSort(order.column),
            is_descending=order.is_descending,
            page_size=OVERVIEW_ROWS,
        ),
    )
    links: Links = frame["links"]
    alone = leads_to_user(links, PARAMETERS - COMMON)
    view = (
        read_choice(request.query_params, "view", TableView, ErrorCode.UNKNOWN_VIEW)
        or TableView.SPEND
    )
    return render_page(
        request,
        "users_and_groups.html",
        actor=actor,
        title=SUBJECT.title,
        subject=SUBJECT,
        tiles=_tiles(users, found),
        compared=describe_compared(users),
        users=_side(services, query, users, freshness, found),
        groups=_side(services, query, groups, freshness, found),
        tables={
            TableView.SPEND: _rows(found, Rank.COST, TOP_BY_COST, alone),
            TableView.REQUESTS: _rows(found, Rank.REQUESTS, TOP_BY_REQUESTS, alone),
            TableView.OVERVIEW: [
                line_of_row(row, everybody.total, alone) for row in everybody.rows
            ],
        },
        heads=heads_of(OVERVIEW, order, links, view=TableView.OVERVIEW.value),
        table_titles=TABLE_TITLES,
        view=view,
        user_count=everybody.user_count,
        clashes=_explain(services, query, clashes),
        window_words=describe_totals(found.total),
        **frame,
    )


def _compare(
    services: Services, reader: CubeReader, query: UsageQuery, dimension: Dimension
) -> Comparison:
    asked = replace(query, group_by=dimension, top=TOP_BY_COST, ranks=(Rank.COST, Rank.REQUESTS))
    return services.analytics.compare_in(reader, asked)


def _tiles(users: Comparison, found: UsersAndGroups) -> list[Card]:
    """The six tiles: usage, and the number of active users, projects and groups."""
    cost, requests, tokens = (replace(card, metric=None) for card in cards_of(users))
    counts = [
        Card(
            metric=None,
            title=f"Active {noun}s",
            value=format_count(found.active[dimension]),
            exact=format_exact_count(found.active[dimension]),
            fact="with at least one request",
        )
        for dimension, noun in zip(COMBINED, ("user", "project", "group"), strict=True)
    ]
    return [requests, tokens, cost, *counts]


def _side(
    services: Services,
    query: UsageQuery,
    comparison: Comparison,
    freshness: Freshness,
    found: UsersAndGroups,
) -> UsageHalf:
    current = comparison.current
    is_of_groups = current.group_by is Dimension.GROUP
    dimension = Dimension.GROUP if is_of_groups else Dimension.USER
    noun = "user" if dimension is Dimension.USER else "group"
    shown = top_of(current, Rank.COST, SHOWN)
    lists = [*ranked_in(comparison, BARS, TOP_BY_COST), shown]
    slots = colours_of(services, query.organization_id, dimension, lists)
    what = "Top 10 users" if noun == "user" else "User groups"
    bars = [
        BarCard(
            key=f"{noun}s-{metric.value}",
            title=f"{what} by {title}",
            metric=metric,
            ranking=rank_entries(comparison, metric, slots, shown=TOP_BY_COST),
        )
        for metric, title in BARS.items()
    ]
    of = found.active[dimension]
    overall = _overall(current, found) if dimension is Dimension.USER else ([], [])
    lines = [
        LineCard(
            key=f"{noun}s-cost-per-request",
            title=f"{noun.capitalize()} spend per request",
            data=line_data(
                query,
                current,
                freshness,
                [*lines_of_entries(current, shown, slots, cost_per_request), *overall[0]],
                title=f"Spend per request by {noun}",
                unit=Unit.USD,
                of=of,
            ),
        ),
        LineCard(
            key=f"{noun}s-tokens",
            title=f"Tokens per {noun}",
            data=line_data(
                query,
                current,
                freshness,
                [*lines_of_entries(current, shown, slots, tokens_of), *overall[1]],
                title=f"Tokens per {noun}",
                unit=Unit.COUNT,
                of=of,
            ),
        ),
    ]
    return UsageHalf(bars=bars, lines=lines, filter_name=FILTER_OF[dimension], dimension=dimension)


def _overall(
    current: Breakdown, found: UsersAndGroups
) -> tuple[list[LineSeries], list[LineSeries]]:
    """All users together: spend per request, and tokens per active user."""
    steps = [current.at(index) for index in range(len(current.steps))]
    tokens = [
        totals.total_tokens // users if users else None
        for totals, users in zip(steps, found.active_users, strict=True)
    ]

    def line(label: str, values: Sequence[int | None]) -> LineSeries:
        return LineSeries(key="all", label=label, kind=EntryKind.OTHER, slot=None, values=values)

    return (
        [line("All users", [cost_per_request(totals) for totals in steps])],
        [line("Average of all users", tokens)],
    )


def _rows(
    found: UsersAndGroups, rank: Rank, count: int, url_of: Callable[[str], str]
) -> list[UserLine]:
    return [line_of_entry(entry, found.total, url_of) for entry in top_of(found.users, rank, count)]


def _explain(services: Services, query: UsageQuery, clashes: Sequence[Contradiction]) -> list[str]:
    """Why no request matches the combined filters, as sentences."""
    labels = {
        dimension: services.analytics.labels(query.organization_id, dimension)
        for dimension in COMBINED
    }
    members = services.usage_tables.group_members(query.organization_id, query.period)

    def called(place: tuple[Dimension, str]) -> str:
        return labels[place[0]].get(place[1], place[1])

    sentences = []
    for clash in clashes:
        first, second = called(clash.first), called(clash.second)
        (dimension, key), (other, value) = clash.first, clash.second
        if other is Dimension.GROUP and dimension is Dimension.USER:
            is_in = key in members.get(value, ())
            sentences.append(
                f"{first} made no request while in {second}"
                if is_in
                else f"{first} is not in {second}"
            )
        elif other is Dimension.GROUP:
            sentences.append(f"no one in {second} used {first}")
        else:
            sentences.append(f"{first} has no requests in {second}")
    return sentences

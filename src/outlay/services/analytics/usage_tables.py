"""Tables of usage with all objects of a kind: directory objects joined with their numbers.

Objects without usage are included with zeros. Objects that are deleted, or were never in the
directory, are included if they have usage. Rows and unattributed usage add up to the total, except
for groups.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Generic, TypeVar

from outlay.domain.actor import Actor
from outlay.domain.answers import ZERO, Totals, sum_totals
from outlay.domain.dimension import Dimension
from outlay.domain.discovery import Discovered
from outlay.domain.errors import Invalid
from outlay.domain.ids import ApiKeyId, MemberId, OrganizationId, ProjectId
from outlay.domain.organization import ApiKey, Member, Project, UserGroup
from outlay.domain.period import BUCKET_US, Period
from outlay.domain.policy import Permission
from outlay.domain.query import UsageQuery
from outlay.services.analytics.analytics import Analytics
from outlay.services.analytics.own_usage import owner_of
from outlay.services.analytics.value_totals import read_value_totals
from outlay.services.directory.text_rules import check_found, check_owned
from outlay.storage.directory.api_keys import find_api_key, list_api_keys
from outlay.storage.directory.discovered import find_discovered
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.groups import list_groups, list_memberships
from outlay.storage.directory.members import find_member, list_members
from outlay.storage.directory.projects import find_project, list_projects
from outlay.storage.directory.session import ReadSession

MAX_PAGE_SIZE: Final = 500

T = TypeVar("T", Member, Project, UserGroup)


@dataclass(frozen=True, slots=True)
class UsageRow(Generic[T]):
    """One object and its usage."""

    key: str
    """The dimension value."""
    thing: T | None
    """The configured object, None if there is none."""
    name: str
    """Its label, without a mark if it is deleted."""
    totals: Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageTable(Generic[T]):
    """Rows by cost, descending, ties by key, with the totals around them."""

    rows: Sequence[UsageRow[T]]
    unattributed: Totals
    """Requests without a value."""
    total: Totals
    """Each request counted once."""


class UserSort(StrEnum):
    """What the table of users is sorted by; its value is the word used in the API."""

    NAME = "name"
    COST = "cost"
    REQUESTS = "requestCount"
    INPUT = "inputTokens"
    OUTPUT = "outputTokens"
    TOKENS = "totalTokens"
    LATENCY = "averageLatencyMs"
    ERRORS = "errorCount"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserView:
    """The shown part of the table of users."""

    sort: UserSort = UserSort.COST
    is_descending: bool = True
    search: str = ""
    page: int = 1
    page_size: int = 50
    selected: tuple[str, ...] = ()
    """Users whose totals are requested, on any page."""

    def __post_init__(self) -> None:
        if not 1 <= self.page_size <= MAX_PAGE_SIZE:
            raise Invalid(f"`pageSize` must be between 1 and {MAX_PAGE_SIZE}.", field="pageSize")
        if self.page < 1:
            raise Invalid("`page` must be at least 1.", field="page")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPage:
    """A page of the table of users."""

    rows: Sequence[UsageRow[Member]]
    user_count: int
    """Users that match the search, on all pages."""
    page_count: int
    matching: Totals
    """Their totals."""
    selection: Totals
    unattributed: Totals
    total: Totals


class UsageTables:
    """Joins data of the cube with the directory."""

    def __init__(self, analytics: Analytics, directory: Directory) -> None:
        self._analytics = analytics
        self._directory = directory

    def members(self, query: UsageQuery) -> tuple[UsageTable[Member], Mapping[str, int]]:
        """Usage by the member who created the API key, with the number of current keys of each."""
        with self._directory.read() as session:
            members = list_members(session, query.organization_id)
            keys = list_api_keys(session, query.organization_id)
        counts: Counter[str] = Counter(key.member_id for key in keys if not key.is_deleted)
        table = self._table(query, Dimension.MEMBER, {m.member_id: m for m in members})
        return table, counts

    def projects(self, query: UsageQuery) -> UsageTable[Project]:
        """Usage by project."""
        with self._directory.read() as session:
            projects = list_projects(session, query.organization_id)
        return self._table(query, Dimension.PROJECT, {p.project_id: p for p in projects})

    def groups(self, query: UsageQuery) -> tuple[UsageTable[UserGroup], Mapping[str, int]]:
        """Usage by user group, with the current number of members of each; sums may exceed the
        total."""
        now_us = self._analytics.now_us()
        with self._directory.read() as session:
            groups = list_groups(session, query.organization_id)
            memberships = list_memberships(session, query.organization_id)
        counts: Counter[str] = Counter(
            membership.group_id for membership in memberships if membership.is_valid_at(now_us)
        )
        return self._table(query, Dimension.GROUP, {g.group_id: g for g in groups}), counts

    def group_members(
        self, organization_id: OrganizationId, period: Period
    ) -> Mapping[str, set[str]]:
        """The members of each user group at any time of a period: member ids by group."""
        start_us, end_us = period.start_bucket * BUCKET_US, period.end_bucket * BUCKET_US
        with self._directory.read() as session:
            memberships = list_memberships(session, organization_id)
        found: dict[str, set[str]] = {}
        for one in memberships:
            if one.valid_from_us < end_us and not one.has_ended_at(start_us):
                found.setdefault(one.group_id, set()).add(one.member_id)
        return found

    # Single objects, including deleted ones

    def member(self, organization_id: OrganizationId, member_id: MemberId) -> Member:
        """A current or former member; raises NotFound if there is none."""
        with self._directory.read() as session:
            found = find_member(session, member_id)
        return check_owned(found, organization_id, "member")

    def project(self, actor: Actor, called: str) -> Project:
        """A project, including deleted and discovered ones; raises NotFound if there is none.

        A merged project is the one it is merged into. Discovered projects belong to no member.
        """
        owner = owner_of(actor, Permission.PROJECT_USAGE)
        with self._directory.read() as session:
            wanted, found = _discovered(session, actor.organization_id, Dimension.PROJECT, called)
            project = find_project(session, ProjectId(wanted))
        if found is not None and owner is None:
            return found.as_project()
        return check_owned(project, actor.organization_id, "project")

    def key(self, actor: Actor, called: str) -> ApiKey:
        """An API key, likewise; raises NotFound also if the actor may not see it."""
        owner = owner_of(actor, Permission.KEY_USAGE)
        with self._directory.read() as session:
            wanted, found = _discovered(session, actor.organization_id, Dimension.API_KEY, called)
            key = find_api_key(session, ApiKeyId(wanted))
        if found is not None and owner is None:
            return found.as_key()
        key = check_owned(key, actor.organization_id, "API key")
        return check_found(key if owner in {None, key.member_id} else None, "API key")

    # All users

    def users(self, query: UsageQuery, view: UserView) -> UserPage:
        """A page of usage by user."""
        table = self._table(query, Dimension.USER, self._members(query))
        matching = _in_order(table.rows, view)
        start = (view.page - 1) * view.page_size
        selected = frozenset(view.selected)
        return UserPage(
            rows=matching[start : start + view.page_size],
            user_count=len(matching),
            page_count=max(1, -(-len(matching) // view.page_size)),
            matching=sum_totals([row.totals for row in matching]),
            selection=sum_totals([row.totals for row in table.rows if row.key in selected]),
            unattributed=table.unattributed,
            total=table.total,
        )

    def all_users(self, query: UsageQuery, view: UserView) -> UsageTable[Member]:
        """Usage by user, on all pages of a view, or of the selected users if there are any."""
        table = self._table(query, Dimension.USER, self._members(query))
        selected = frozenset(view.selected)
        rows = [row for row in _in_order(table.rows, view) if not selected or row.key in selected]
        return replace(table, rows=rows)

    def _members(self, query: UsageQuery) -> Mapping[str, Member]:
        with self._directory.read() as session:
            return {m.member_id: m for m in list_members(session, query.organization_id)}

    def _table(
        self, query: UsageQuery, dimension: Dimension, known: Mapping[str, T]
    ) -> UsageTable[T]:
        with self._analytics.read() as reader:
            found = read_value_totals(reader, query, dimension)
        used = found.values
        present = {key for key, thing in known.items() if not thing.is_deleted}
        labels = (
            self._analytics.labels(query.organization_id, dimension)
            if used.keys() - known.keys()
            else {}
        )
        rows = [
            UsageRow(key, thing, thing.name if thing else labels.get(key, key), used.get(key, ZERO))
            for key in present | used.keys()
            for thing in [known.get(key)]
        ]
        rows.sort(key=lambda row: (-row.totals.cost_pusd, row.key))
        return UsageTable(rows=rows, unattributed=found.unattributed, total=found.total)


def _discovered(
    session: ReadSession, organization_id: OrganizationId, dimension: Dimension, called: str
) -> tuple[str, Discovered | None]:
    """The value that a value counts as, and its entry if it is a discovered one."""
    entry = find_discovered(session, organization_id, dimension, called)
    if entry is not None and entry.merged_into:
        called = entry.merged_into
        entry = find_discovered(session, organization_id, dimension, called)
    return called, entry


def _in_order(rows: Sequence[UsageRow[Member]], view: UserView) -> list[UsageRow[Member]]:
    """The rows that match a view's search, in its order."""
    wanted = view.search.casefold()
    matching = [row for row in rows if wanted in _searchable(row)]
    matching.sort(key=lambda row: (_user_name(row), row.key))
    if view.sort is not UserSort.NAME:
        value = _USER_VALUES[view.sort]
        matching.sort(key=lambda row: value(row.totals), reverse=view.is_descending)
    elif view.is_descending:
        matching.reverse()
    return matching


_USER_VALUES: Final[Mapping[UserSort, Callable[[Totals], float]]] = {
    UserSort.COST: lambda totals: totals.cost_pusd,
    UserSort.REQUESTS: lambda totals: totals.requests,
    UserSort.INPUT: lambda totals: totals.input_tokens,
    UserSort.OUTPUT: lambda totals: totals.output_tokens,
    UserSort.TOKENS: lambda totals: totals.total_tokens,
    UserSort.LATENCY: lambda totals: -1 if (mean := totals.average_latency_us) is None else mean,
    UserSort.ERRORS: lambda totals: totals.errors,
}


def _user_name(row: UsageRow[Member]) -> str:
    return row.name.casefold()


def _searchable(row: UsageRow[Member]) -> str:
    email = row.thing.email if row.thing else ""
    return f"{row.name}\n{email}\n{row.key}".casefold()

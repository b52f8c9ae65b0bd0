"""Usage by member, user, project and group."""

from outlay.domain.actor import Role
from outlay.web.http.answers.activity import Entry
from outlay.web.http.answers.base import Answer
from outlay.web.http.answers.measures import RowTotals
from outlay.web.http.answers.periods import Meta, Point
from outlay.wire.json_money import Money


class Person(Answer):
    """The person that usage is attributed to: a current or former member, or an id known only from
    events."""

    user_id: str
    name: str
    email: str | None
    role: Role | None
    is_former: bool
    is_member: bool


class _KeyCount(Person):
    api_key_count: int


class MemberRow(RowTotals, _KeyCount):
    """The usage of one member's API keys."""


class UserRow(RowTotals, Person):
    """The usage of one user."""


class _ProjectHead(Answer):
    project_id: str
    name: str
    is_deleted: bool
    is_discovered: bool


class ProjectRow(RowTotals, _ProjectHead):
    """The usage of one project; a discovered one is known only from events."""


class _GroupHead(Answer):
    group_id: str
    name: str
    is_deleted: bool
    is_discovered: bool
    member_count: int


class GroupRow(RowTotals, _GroupHead):
    """The usage of one user group; a discovered one is known only from events."""


class _Table(Answer):
    unattributed: RowTotals
    totals: RowTotals
    meta: Meta


class _MemberRows(Answer):
    members: list[MemberRow]


class MemberTable(_Table, _MemberRows):
    """Usage by the member who created the API key."""


class _ProjectRows(Answer):
    projects: list[ProjectRow]


class ProjectTable(_Table, _ProjectRows):
    """Usage by project."""


class _GroupRows(Answer):
    groups: list[GroupRow]


class GroupTable(_Table, _GroupRows):
    """Usage by user group; a request counts in each group of its user, and once in the totals."""


class UserPage(Answer):
    """A page of users: `matching` sums the search's results, `selection` the selected ones."""

    users: list[UserRow]
    page: int
    page_size: int
    page_count: int
    user_count: int
    matching: RowTotals
    selection: RowTotals | None
    unattributed: RowTotals
    totals: RowTotals
    meta: Meta


class Tiles(Answer):
    """The headline numbers."""

    request_count: int
    cost: Money
    total_tokens: int
    error_rate: float | None
    active_user_count: int
    active_project_count: int
    active_group_count: int


class UserSeries(Answer):
    """Spend per request and tokens per active user, by step."""

    active_user_count: list[int]
    cost_per_request: list[Money | None]
    tokens_per_user: list[float | None]


class GroupSeries(Answer):
    """A group's numbers by step."""

    cost: list[Money]
    request_count: list[int]
    total_tokens: list[int]
    cost_per_request: list[Money | None]


class GroupEntry(Entry, kw_only=True):
    """A group, and its series."""

    series: GroupSeries


class UsersAndGroups(Answer):
    """Headline numbers, top users, and series of users and groups."""

    tiles: Tiles
    top_users_by_cost: list[Entry]
    top_users_by_requests: list[Entry]
    user_series: UserSeries
    groups: list[GroupEntry]
    points: list[Point]
    totals: RowTotals
    meta: Meta

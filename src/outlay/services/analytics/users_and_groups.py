"""Users and user groups, from one snapshot, for the page and the endpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from outlay.domain.answers import Breakdown, Entry, EntryKind, Totals
from outlay.domain.dimension import Dimension
from outlay.domain.measure import Rank
from outlay.domain.period import Interval
from outlay.domain.query import UsageQuery
from outlay.domain.questions import DistinctCounts
from outlay.services.analytics.analytics import Analytics
from outlay.services.analytics.breakdowns import by_value
from outlay.storage.cube.store import CubeReader

TOP_BY_COST: Final = 10
TOP_BY_REQUESTS: Final = 20

COMBINED: Final = (Dimension.USER, Dimension.PROJECT, Dimension.GROUP)
"""Dimensions whose values are counted, and whose filters can be combined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsersAndGroups:
    """Users over the whole period, groups by step."""

    active: Mapping[Dimension, int]
    """The number of users, projects and groups with usage."""
    active_users: Sequence[int]
    """The number of users with usage in each step."""
    users: Breakdown
    """The top users by cost or requests, over the whole period."""
    groups: Breakdown
    """The top groups by cost, by step."""

    @property
    def total(self) -> Totals:
        """Each request counted once."""
        return self.groups.total


def read_users_and_groups(analytics: Analytics, query: UsageQuery) -> UsersAndGroups:
    """Users and groups of a query's period, interval and filters."""
    with analytics.read() as reader:
        return read_users_and_groups_in(reader, analytics, query)


def read_users_and_groups_in(
    reader: CubeReader, analytics: Analytics, query: UsageQuery
) -> UsersAndGroups:
    """Like `read_users_and_groups`, from a snapshot that several questions share."""
    whole = replace(query, interval=Interval.TOTAL)
    counts = reader.ask(DistinctCounts(whole, COMBINED)).get(0, (0,) * len(COMBINED))
    users_by_step = reader.ask(DistinctCounts(query, (Dimension.USER,)))
    users = analytics.breakdown_in(
        reader,
        replace(
            whole,
            group_by=Dimension.USER,
            top=TOP_BY_REQUESTS,
            ranks=(Rank.COST, Rank.REQUESTS),
        ),
    )
    groups = analytics.breakdown_in(
        reader, replace(query, group_by=Dimension.GROUP, top=TOP_BY_COST)
    )
    return UsersAndGroups(
        active=dict(zip(COMBINED, counts, strict=True)),
        active_users=[users_by_step.get(index, (0,))[0] for index in range(len(groups.steps))],
        users=users,
        groups=groups,
    )


def top_of(found: Breakdown, rank: Rank, count: int) -> list[Entry]:
    """The named values of a breakdown, highest rank first."""
    named = [entry for entry in found.entries if entry.kind is EntryKind.VALUE]
    named.sort(key=lambda entry: (-entry.total.rank_value(rank), entry.key))
    return named[:count]


EXPLAINED_VALUES: Final = 5
"""Number of values per filter that are checked to explain an empty answer."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two filters that no request satisfies together."""

    first: tuple[Dimension, str]
    second: tuple[Dimension, str]


def contradictions_in(reader: CubeReader, query: UsageQuery) -> list[Contradiction]:
    """The pairs of users, projects and groups that have no request in common; only the first values
    are checked.

    Empty if each pair has common requests, and only all filters together have none.
    """
    asked = [dimension for dimension in COMBINED if dimension in query.filters]
    found = []
    for index, first in enumerate(asked):
        for second in asked[index + 1 :]:
            for value in query.filters[first][:EXPLAINED_VALUES]:
                alone = replace(
                    query,
                    group_by=None,
                    interval=Interval.TOTAL,
                    filters={first: (value,)},
                )
                used = by_value(reader, alone, second)
                found += [
                    Contradiction((first, value), (second, other))
                    for other in query.filters[second][:EXPLAINED_VALUES]
                    if other not in used
                ]
    return found

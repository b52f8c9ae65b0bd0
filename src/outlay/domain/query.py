"""The query model of all pages, endpoints and exports: which usage, and how it is grouped."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace

from typing_extensions import override

from outlay.domain.comparison_period import Earlier
from outlay.domain.dimension import Dimension, Grouping
from outlay.domain.discovery import Merges
from outlay.domain.errors import Invalid, NotFound
from outlay.domain.event import MAX_TEXT
from outlay.domain.ids import OrganizationId
from outlay.domain.measure import MEASURES, Rank
from outlay.domain.period import Interval, Period

MAX_TOP = 1_000
"""Maximum number of groups that an answer names; the remainder is Other."""

MAX_FILTER_VALUES = 1_000

ALL_MEASURES = tuple(measure.name for measure in MEASURES)

CORE_MEASURES = (
    "requests",
    "input_tokens",
    "output_tokens",
    "cost_pusd",
    "errors",
    "client_errors",
)
"""Measures of breakdowns: enough for every ranking, share and rate."""

LATENCY_MEASURES = (
    "duration_us",
    "timed_requests",
    "time_to_first_token_us",
    "streamed_requests",
)

QUALITY_MEASURES = (
    *CORE_MEASURES,
    "unpriced_requests",
    "partly_priced_requests",
    "estimated_requests",
    "unknown_usage_requests",
    "adjusted_requests",
)
"""Core measures and those that show how complete and exact totals are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageQuery:
    """Measures by step and dimension value, for one organization.

    Values of one filter are combined with OR; filters of different dimensions with AND. The groups
    that are in the `top` by any of `ranks` are named, the others are summed as Other. Events
    without a value are Unattributed and never part of Other.
    """

    organization_id: OrganizationId
    period: Period
    merges: Merges
    """Values that are merged into others, in groups and filters alike."""
    measures: tuple[str, ...] = ALL_MEASURES
    """Names of the requested measures; the others are 0 in the answer. Fewer are faster."""
    beside: Earlier | None = field(default=None, compare=False)
    """The earlier period that the answer is compared with; not part of the question itself."""
    interval: Interval = Interval.TOTAL
    group_by: Grouping | None = None
    then_by: Grouping | None = None
    """Breaks each group down by a second dimension, ranked and limited within the group."""
    filters: Mapping[Grouping, tuple[str, ...]] = field(default_factory=dict)
    top: int = MAX_TOP
    ranks: tuple[Rank, ...] = (Rank.COST,)
    named: tuple[str, ...] | None = None
    """If set, exactly these groups are named, regardless of rank."""

    def __post_init__(self) -> None:
        if not 1 <= self.top <= MAX_TOP:
            raise Invalid(f"`top` must be between 1 and {MAX_TOP:,}.", field="top")
        if not set(CORE_MEASURES) <= set(self.measures) <= set(ALL_MEASURES):
            raise Invalid("`measures` must include the core measures.", field="measures")
        if not self.ranks:
            raise Invalid("`rankBy` must name at least one measure.", field="rankBy")
        if self.then_by is not None and self.then_by in {self.group_by, None}:
            raise Invalid("`groupBy` must name two different dimensions.", field="groupBy")
        if self.then_by is not None and self.group_by is None:
            raise Invalid("`groupBy` has a second level but no first one.", field="groupBy")
        self._check_kinds()
        _check_filters(self.filters)

    def _check_kinds(self) -> None:
        if self.group_by is not Dimension.KIND and self.then_by is not Dimension.KIND:
            return
        if self.then_by is not None:
            raise Invalid(
                "`groupBy=kind` cannot be combined with another dimension. Filter by the other "
                "dimension instead.",
                field="groupBy",
            )
        if self.ranks[0] is Rank.REQUESTS:
            raise Invalid(
                "A request has several kinds of usage, so `groupBy=kind` can be ranked by cost "
                "or totalTokens only.",
                field="rankBy",
            )

    @override
    def __hash__(self) -> int:
        return hash((self.organization_id, self.period, self.group_by, _hashable(self.filters)))

    def by(self, *dimensions: Grouping) -> "RowQuery":
        """The rows of every combination of some dimensions, over the whole period."""
        return RowQuery(
            organization_id=self.organization_id,
            period=self.period,
            merges=self.merges,
            measures=self.measures,
            group_by=dimensions,
            filters=self.filters,
        )

    def only(self, dimension: Grouping, value: str) -> "UsageQuery":
        """The same query limited to one value; raises NotFound if it is already filtered by other
        values."""
        if value not in self.filters.get(dimension, (value,)):
            raise NotFound(f"There is no such {dimension.noun}.")
        return replace(self, filters={**self.filters, dimension: (value,)})


@dataclass(frozen=True, slots=True, kw_only=True)
class RowQuery:
    """Measures by step and any combination of dimensions, with a row for each combination.

    Nothing is ranked, limited or summed as Other; events without a value have an empty key. With
    Dimension.GROUP an event counts in the row of each group of its user.
    """

    organization_id: OrganizationId
    period: Period
    merges: Merges
    """Values that are merged into others, in rows and filters alike."""
    measures: tuple[str, ...] = ALL_MEASURES
    interval: Interval = Interval.TOTAL
    group_by: tuple[Grouping, ...] = ()
    filters: Mapping[Grouping, tuple[str, ...]] = field(default_factory=dict)
    after: tuple[int, tuple[str, ...]] | None = None
    """Step and keys of a row: only later rows are returned."""
    limit: int | None = None

    def __post_init__(self) -> None:
        if len(set(self.group_by)) != len(self.group_by):
            raise Invalid("Each dimension can appear in `groupBy` only once.", field="groupBy")
        if Dimension.KIND in self.group_by:
            raise Invalid(
                "`groupBy=kind` cannot be combined with rows of requests. Use "
                "/api/v1/analytics/activity or /api/v1/exports/activity.csv.",
                field="groupBy",
            )
        if not self.measures or not set(self.measures) <= set(ALL_MEASURES):
            raise Invalid("`measures` must name measures from the catalogue.", field="measures")
        _check_filters(self.filters)

    @override
    def __hash__(self) -> int:
        return hash((self.organization_id, self.period, self.group_by, _hashable(self.filters)))


def _hashable(filters: Mapping[Grouping, tuple[str, ...]]) -> Hashable:
    return frozenset(filters.items())


def _check_filters(filters: Mapping[Grouping, tuple[str, ...]]) -> None:
    for dimension, values in filters.items():
        if not 1 <= len(values) <= MAX_FILTER_VALUES:
            raise Invalid(
                f"`{dimension.value}` takes 1 to {MAX_FILTER_VALUES:,} values.",
                field=dimension.value,
            )
        for value in values:
            _check_text(value, dimension.value)


def _check_text(value: str, name: str) -> None:
    if len(value) > MAX_TEXT:
        raise Invalid(f"`{name}` must be at most {MAX_TEXT} characters long.", field=name)
    if "\0" in value or not _is_encodable(value):
        raise Invalid(f"`{name}` contains characters that are not valid text.", field=name)


def _is_encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True

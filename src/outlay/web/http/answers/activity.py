"""Usage over time and by dimension."""

from msgspec import UNSET, UnsetType

from outlay.domain.answers import EntryKind
from outlay.domain.meter import MeterUnit
from outlay.domain.period import Interval
from outlay.web.http.answers.base import Answer
from outlay.web.http.answers.measures import (
    CoreTotals,
    Latency,
    QualityTotals,
    RankedTotals,
    Summary,
)
from outlay.web.http.answers.periods import Meta, Point, Window
from outlay.wire.json_money import Money


class Named(Answer):
    """A value of a dimension."""

    key: str
    label: str


class Entry(Named, kw_only=True):
    """A group of a breakdown, Other or Unattributed.

    Kinds of usage have a quantity but no requests: a request has several kinds.
    """

    kind: EntryKind
    member_count: int | UnsetType = UNSET
    request_count: int | None
    input_tokens: int
    output_tokens: int
    cost: Money
    error_count: int | None
    client_error_count: int | None
    total_tokens: int
    error_rate: float | None
    quantity: int | UnsetType | None = UNSET
    unit: MeterUnit | UnsetType | None = UNSET
    breakdown: "list[Entry] | UnsetType" = UNSET
    earlier: CoreTotals | UnsetType = UNSET


class EarlierStep(CoreTotals, Window):
    """The step of the compared period at the same position."""


class ActivityStep(CoreTotals, Point, kw_only=True):
    """One step of a period, and its breakdown."""

    breakdown: list[Entry]
    earlier: EarlierStep | UnsetType | None = UNSET


class ActivityTotals(QualityTotals):
    """The whole period, with each request counted once, and its breakdown."""

    breakdown: list[Entry]
    earlier: CoreTotals | UnsetType = UNSET


class UsageActivity(Answer):
    """Usage per step of a period, by one dimension or two."""

    group_by: str | None
    activity: list[ActivityStep]
    totals: ActivityTotals
    meta: Meta


class Columns(Answer):
    """One array per measure, with a value for each step."""

    cost: list[Money]
    request_count: list[int]
    total_tokens: list[int]


class _SeriesHead(Named):
    kind: EntryKind
    slot: int | None
    member_count: int


class SeriesEntry(Columns, _SeriesHead):
    """A group of a breakdown as arrays; `slot` is its colour."""

    total: RankedTotals
    earlier: RankedTotals


class EarlierSeries(Columns):
    """The compared period as arrays."""

    points: list[Window]
    total: RankedTotals


class ActivitySeries(Answer):
    """The activity as arrays over the steps, a tenth of the size."""

    group_by: str | None
    interval: Interval
    points: list[Point]
    series: list[SeriesEntry]
    steps: Columns
    earlier: EarlierSeries
    total: RankedTotals
    meta: Meta


class SummaryAnswer(Answer):
    """The totals of a period."""

    summary: Summary
    meta: Meta
    earlier: Summary | UnsetType = UNSET


class MemberName(Answer):
    """The caller."""

    member_id: str
    name: str


class _Own(Answer):
    member: MemberName
    summary: Summary


class OwnUsage(UsageActivity, _Own):
    """Usage attributed to the caller."""


class LatencyEntry(Latency, Named):
    """The latency of the requests with one value."""


class LatencyAnswer(Answer):
    """Latency by value of a dimension."""

    group_by: str
    latency: list[LatencyEntry]
    unattributed: Latency | None
    totals: Latency
    value_count: int
    meta: Meta

"""Answers: the rows that the cube returns, and what analytics builds from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from outlay.domain.comparison_period import Compare
from outlay.domain.dimension import Grouping
from outlay.domain.measure import MEASURES, Rank
from outlay.domain.period import Interval, Period, Preset, Step, bucket_at, day_start, parse_zone


class Totals(NamedTuple):
    """One value per measure of the catalogue, in its order and units."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_write_input_tokens: int = 0
    reasoning_output_tokens: int = 0
    cost_pusd: int = 0
    input_cost_pusd: int = 0
    cache_read_cost_pusd: int = 0
    cache_write_cost_pusd: int = 0
    output_cost_pusd: int = 0
    meter_cost_pusd: int = 0
    reported_cost_pusd: int = 0
    computed_beside_pusd: int = 0
    uncompared_cost_pusd: int = 0
    errors: int = 0
    client_errors: int = 0
    unpriced_requests: int = 0
    partly_priced_requests: int = 0
    reported_cost_requests: int = 0
    uncompared_requests: int = 0
    estimated_requests: int = 0
    unknown_usage_requests: int = 0
    adjusted_requests: int = 0
    duration_us: int = 0
    timed_requests: int = 0
    time_to_first_token_us: int = 0
    streamed_requests: int = 0

    @property
    def total_tokens(self) -> int:
        """Input plus output tokens."""
        return self.input_tokens + self.output_tokens

    @property
    def error_rate(self) -> float | None:
        """(upstream + gateway errors) / (requests - client errors), None if the denominator is
        0."""
        answerable = self.requests - self.client_errors
        return self.errors / answerable if answerable else None

    @property
    def average_latency_us(self) -> float | None:
        """Mean duration in µs; None if no request has a duration."""
        return self.duration_us / self.timed_requests if self.timed_requests else None

    def rank_value(self, rank: Rank) -> int:
        """The number to rank by: pico-USD, requests or tokens."""
        match rank:
            case Rank.COST:
                return self.cost_pusd
            case Rank.REQUESTS:
                return self.requests
            case Rank.TOKENS:
                return self.total_tokens

    def plus(self, other: "Totals") -> "Totals":
        """The sum, measure by measure."""
        return Totals(*(a + b for a, b in zip(self, other, strict=True)))


if Totals._fields != tuple(measure.name for measure in MEASURES):
    raise AssertionError("Totals and MEASURES list the same measures in the same order")

ZERO = Totals()


def sum_totals(parts: Sequence[Totals]) -> Totals:
    """The sum of any number of totals, measure by measure."""
    return Totals(*(sum(column) for column in zip(*parts, strict=True))) if parts else ZERO


# Rows as the cube returns them


class BreakdownRow(NamedTuple):
    """One group in one step."""

    step: int
    kind: str
    key: str
    """Empty for Other and Unattributed."""
    others: int
    """How many values Other sums; the same in every row."""
    measures: Totals


class NestedRow(NamedTuple):
    """One value of a second dimension within one group of the first, in one step."""

    kind: str
    key: str
    """Value of the first dimension; empty for Other and Unattributed."""
    part: BreakdownRow


class Row(NamedTuple):
    """One combination of dimension values in one step."""

    step: int
    keys: tuple[str, ...]
    """One per dimension; empty where an event has no value."""
    measures: Totals


class MeterSums(NamedTuple):
    """The quantity and cost of a meter in one step."""

    step: int
    meter: str
    requests: int
    quantity: int
    cost_pusd: int
    reported_cost_pusd: int
    computed_beside_pusd: int
    uncompared_cost_pusd: int
    reported_cost_requests: int
    uncompared_requests: int


class SessionMeasures(NamedTuple):
    """Sums over requests of sessions, in the order of their rollup."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_pusd: int = 0
    errors: int = 0
    client_errors: int = 0


class SessionSums(NamedTuple):
    """A session, with the sums over its requests that are in the period and match every filter."""

    session_id: str
    first_at: int
    """Start of its first request, in seconds since the epoch."""
    last_at: int
    measures: SessionMeasures


class SessionTotals(NamedTuple):
    """Sums over all sessions that match."""

    sessions: int
    measures: SessionMeasures


class SessionPart(NamedTuple):
    """The cost of a session for one combination of the dimensions that lists show."""

    session_id: str
    values: tuple[str, ...]
    cost_pusd: int


# What pages and endpoints show


class EntryKind(StrEnum):
    """What an entry of a breakdown is."""

    VALUE = "value"
    OTHER = "other"
    """The remainder beyond the top."""
    UNATTRIBUTED = "unattributed"
    """Events without a value for the dimension."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One group of a breakdown: its identity and its measures per step of the period."""

    kind: EntryKind
    key: str
    """The dimension value; `other` or `unattributed` for the two special kinds."""
    label: str
    """Its display name; a deleted item keeps its name, marked as deleted."""
    total: Totals
    by_step: Mapping[int, Totals]
    """Step index → measures; steps without usage are absent."""
    members: int = 1
    """How many values it sums; above 1 only for Other."""
    parts: "tuple[Entry, ...]" = ()
    """The second level, if the query has one."""

    def at(self, step: int) -> Totals:
        """The measures of a step; zeros if it has no usage."""
        return self.by_step.get(step, ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """The answer to a UsageQuery.

    For single-valued dimensions entries sum to the totals in every step. For groups they may
    exceed them, since an event counts in each group of its user; totals count it once.
    """

    group_by: Grouping | None
    steps: tuple[Step, ...]
    total: Totals
    by_step: Mapping[int, Totals]
    entries: tuple[Entry, ...]
    """By the first rank, descending, ties by key; then Other, then Unattributed."""

    def at(self, step: int) -> Totals:
        """The totals of a step; zeros if it has no usage."""
        return self.by_step.get(step, ZERO)


NO_BREAKDOWN = Breakdown(group_by=None, steps=(), total=ZERO, by_step={}, entries=())
"""The breakdown of an empty period."""


class OnRecord(StrEnum):
    """How much of a compared period is after the organization's first event."""

    ALL = "all"
    PART = "part"
    """It began before the first event, so a change against it is overstated."""
    NOTHING = "nothing"
    """It is completely before the first event: there is nothing to measure a change against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A breakdown compared with an earlier period, which is empty without a comparison."""

    compare: Compare
    period: Period
    elapsed: Period
    """The part of `period` that is over by now; equal to `period` once that has ended."""
    current: Breakdown
    earlier_period: Period
    earlier_part: Period
    """The part of the earlier period that corresponds to `elapsed`: the basis of all changes."""
    earlier_steps: tuple[Totals, ...]
    """Totals of the earlier period by step, aligned with `current.steps` by position.

    Its length may differ from `current.steps` where daylight saving adds or removes an hour.
    """
    earlier_total: Totals
    """Totals of `earlier_part`."""
    earlier_entries: Mapping[str, Totals]
    """Totals over `earlier_part` by entry key of `current`; zeros if it had no usage."""
    earlier_windows: tuple[Step, ...]
    """The local times of each of `earlier_steps`."""
    interval: Interval
    first_event: datetime | None
    """The first event of the organization, regardless of filters."""

    @property
    def is_compared(self) -> bool:
        """Whether there is an earlier period."""
        return self.earlier_period.end_bucket > self.earlier_period.start_bucket

    @property
    def recorded_from(self) -> int | None:
        """The bucket from which usage is recorded: the start of the day of the first event.

        For a period that is not made of days, the start of that hour.
        """
        if self.first_event is None:
            return None
        zone = self.period.timezone
        local = self.first_event.astimezone(parse_zone(zone))
        if self.period.preset is Preset.LAST_24_HOURS:
            return bucket_at(local.replace(minute=0, second=0, microsecond=0))
        return day_start(local.date(), zone)

    @property
    def on_record(self) -> OnRecord:
        """How much of the basis of changes is recorded."""
        since = self.recorded_from
        if since is None or since >= self.earlier_part.end_bucket:
            return OnRecord.NOTHING
        return OnRecord.PART if since > self.earlier_part.start_bucket else OnRecord.ALL

    @property
    def has_growth(self) -> bool:
        """Whether a change against the earlier period is meaningful."""
        return self.is_compared and self.on_record is not OnRecord.NOTHING

    @property
    def is_unfinished(self) -> bool:
        """Whether the period has not ended yet."""
        return self.elapsed.end_bucket < self.period.end_bucket

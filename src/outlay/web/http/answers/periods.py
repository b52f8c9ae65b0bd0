"""Periods, their steps, and the metadata of every answer."""

from msgspec import UNSET, UnsetType, field

from outlay.domain.answers import OnRecord
from outlay.domain.comparison_period import Compare
from outlay.domain.period import Interval, Preset
from outlay.domain.verification import VerificationState
from outlay.web.http.answers.base import Answer, Day, Instant


class Window(Answer):
    """The time of a step."""

    date: str
    """The local day, or the local hour at its start."""
    start: Instant
    end: Instant


class Point(Window):
    """The time of a step, and whether its numbers can still grow.

    `incomplete`: events may be missing. `pending`: it has not begun. `partial`: the period contains
    only a part of it.
    """

    incomplete: bool
    pending: bool
    partial: bool


class PeriodAnswer(Answer):
    """A period: local days, the last inclusive, and instants, the end exclusive."""

    preset: Preset | None
    from_date: Day = field(name="from")
    to_date: Day = field(name="to")
    start: Instant
    end: Instant
    timezone: str


class EarlierPeriod(PeriodAnswer):
    """The compared period, and how much of it is after the first recorded event."""

    compare: Compare
    first_record: Instant | None
    on_record: OnRecord


class Meta(PeriodAnswer):
    """The period of an answer, its freshness, and what makes its numbers uncertain."""

    interval: Interval
    currency: str
    as_of: Instant
    """The same as `dataThrough`, under its earlier name."""
    data_through: Instant
    unpriced_request_count: int
    partly_priced_request_count: int
    estimated_request_count: int
    unknown_usage_request_count: int
    reconciled: VerificationState
    reconciled_at: Instant | None
    groups_overlap: bool
    truncated: bool
    earlier: EarlierPeriod | UnsetType = UNSET
    earlier_part: PeriodAnswer | UnsetType = UNSET


class FreshMeta(Answer):
    """The currency of an answer, and its freshness."""

    currency: str
    as_of: Instant


class PeriodMeta(FreshMeta, PeriodAnswer):
    """The period of an answer, and its freshness."""

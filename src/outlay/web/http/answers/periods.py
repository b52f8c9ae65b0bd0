"""Periods, their steps, and what every answer says about itself."""

from msgspec import UNSET, UnsetType, field

from outlay.domain.answers import OnRecord
from outlay.domain.comparison_period import Compare
from outlay.domain.period import Interval, Preset
from outlay.domain.verification import VerificationState
from outlay.web.http.answers.base import Answer, Day, Instant


class Window(Answer):
    """When a step is."""

    date: str
    """The local day, or the local hour it begins at."""
    start: Instant
    end: Instant


class Point(Window):
    """When a step is, and whether its numbers can still grow.

    `incomplete`: events may be missing. `pending`: it has not begun. `partial`: the period cuts it.
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
    """The compared period, and how much of it lies after the first record."""

    compare: Compare
    first_record: Instant | None
    on_record: OnRecord


class Meta(PeriodAnswer):
    """The period of an answer, how fresh it is, and what leaves a doubt about its numbers."""

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
    """The currency of an answer, and how fresh it is."""

    currency: str
    as_of: Instant


class PeriodMeta(FreshMeta, PeriodAnswer):
    """The period of an answer, and how fresh it is."""

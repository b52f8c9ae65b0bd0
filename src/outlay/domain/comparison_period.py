"""The earlier period to compare a period with, and the comparable part of it.

Calendar periods are compared with calendar periods: a month with a month, whatever their lengths.
Rolling periods are compared with the same number of days before, shifted by whole weeks from 14
days on, so that weekdays are compared with weekdays.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from outlay.domain.errors import Invalid
from outlay.domain.period import (
    BUCKETS_PER_DAY,
    FIRST_DATE,
    Period,
    Preset,
    bucket_at,
    bucket_start,
    day_start,
    months_before,
    parse_zone,
)


class Compare(StrEnum):
    """What a period is compared with."""

    PREVIOUS = "previous"
    YEAR = "year"
    CUSTOM = "custom"
    NONE = "none"


TO_DATE: Final = {Preset.THIS_MONTH: 1, Preset.THIS_QUARTER: 3}
"""Presets of the current month, quarter or year up to now, with their number of months."""

CALENDAR: Final = frozenset({None, Preset.LAST_MONTH})
"""Presets (None: a custom range) that count as calendar months if they start and end with one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The compared earlier period and the mapping of dates between the two."""

    period: Period
    compare: Compare
    months: int | None = None
    """By how many months dates are shifted; None if days are counted from the start."""

    def part(self, period: Period, elapsed: Period) -> Period:
        """The part of this period that corresponds to the part `elapsed` of `period`.

        Full days correspond to full days. Of an unfinished day the same wall-clock part is taken. A
        date that the earlier month does not have maps to the end of that month.
        """
        whole = self.period
        if elapsed.end_bucket >= period.end_bucket:
            return whole
        if period.preset is Preset.LAST_24_HOURS:
            end = whole.start_bucket + elapsed.end_bucket - period.start_bucket
        else:
            end = self._like(elapsed.end_bucket, period)
        end = min(whole.end_bucket, max(whole.start_bucket, end))
        return Period(start_bucket=whole.start_bucket, end_bucket=end, timezone=whole.timezone)

    def _like(self, bucket: int, period: Period) -> int:
        """The bucket of this period that corresponds to a bucket of `period`."""
        local = bucket_start(bucket).astimezone(parse_zone(period.timezone))
        day, zone = local.date(), period.timezone
        is_start = bucket == day_start(day, zone)
        if self.months is None:
            like = self.period.from_date + (day - period.from_date)
        else:
            like = months_before(day, self.months)
            if like.day != day.day:
                return day_start(like + timedelta(days=1), zone)
        return day_start(like, zone) if is_start else _first_at(like, local.time(), zone)


def earlier_of(period: Period, compare: Compare, since: date | None = None) -> Earlier | None:
    """The earlier period that `compare` selects; CUSTOM begins on `since`, NONE gives None."""
    match compare:
        case Compare.NONE:
            return None
        case Compare.PREVIOUS:
            return _previous(period)
        case Compare.CUSTOM:
            if since is None:
                raise Invalid("`compare=custom` requires `compareFrom`.", field="compareFrom")
            return _since(period, since)
        case Compare.YEAR:
            return _year_before(period)


def whole_months(period: Period) -> int:
    """How many whole calendar months a range has; 0 for other ranges and for rolling presets."""
    first, beyond = period.from_date, period.to_date + timedelta(days=1)
    if period.preset not in CALENDAR or first.day != 1 or beyond.day != 1:
        return 0
    return _months_between(first, beyond)


def elapsed_part(period: Period, now: datetime) -> Period:
    """The part of `period` up to and including the bucket of `now`."""
    end = min(period.end_bucket, max(period.start_bucket, bucket_at(now) + 1))
    return Period(start_bucket=period.start_bucket, end_bucket=end, timezone=period.timezone)


def _previous(period: Period) -> Earlier:
    """The previous calendar period, or the same number of days just before."""
    if period.preset is Preset.YEAR_TO_DATE:
        return _year_before(period, Compare.PREVIOUS)
    if period.preset in TO_DATE:
        months = TO_DATE[period.preset]
        last = months_before(period.to_date, months)
        first = months_before(period.from_date, months)
        return _of_dates(period, Compare.PREVIOUS, first, last + timedelta(days=1), months)
    if months := whole_months(period):
        first = months_before(period.from_date, months)
        return _of_dates(period, Compare.PREVIOUS, first, period.from_date, months)
    if period.preset is Preset.LAST_24_HOURS:
        return _moved(period, Compare.PREVIOUS, period.end_bucket - period.start_bucket)
    days = period.days
    shift = -(-days // 7) * 7 if days >= 14 else days
    return _as_many_days(period, Compare.PREVIOUS, period.from_date - timedelta(days=shift))


def _since(period: Period, since: date) -> Earlier:
    """The same number of days from `since` on, or of months if both begin and end with one."""
    _check_bound(since, "compareFrom")
    if period.preset is Preset.LAST_24_HOURS:
        days = (period.from_date - since).days
        return _moved(period, Compare.CUSTOM, days * BUCKETS_PER_DAY)
    if since.day == 1 and (count := whole_months(period)):
        months = _months_between(since, period.from_date)
        return _of_dates(period, Compare.CUSTOM, since, months_before(since, -count), months)
    return _as_many_days(period, Compare.CUSTOM, since)


def _year_before(period: Period, compare: Compare = Compare.YEAR) -> Earlier:
    """The same calendar dates a year before.

    The edges between days are shifted, so that adjacent periods have adjacent predecessors: 29
    February begins where 1 March of the year before begins, and 28 February of the year after a
    leap year is compared with the 28th and 29th. Only a single 29 February is compared with the
    28th.
    """
    first = _edge_a_year_before(period.from_date)
    _check_bound(first, "compare")
    if period.preset is Preset.LAST_24_HOURS:
        days = (period.from_date - first).days
        return _moved(period, compare, days * BUCKETS_PER_DAY)
    beyond = _edge_a_year_before(period.to_date + timedelta(days=1))
    if first == beyond:
        return _as_many_days(period, compare, first - timedelta(days=1))
    return _of_dates(period, compare, first, beyond, 12)


def _edge_a_year_before(day: date) -> date:
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return date(day.year - 1, 3, 1)


def _months_between(first: date, second: date) -> int:
    return (second.year - first.year) * 12 + second.month - first.month


def _check_bound(first: date, field: str) -> None:
    if first < FIRST_DATE:
        raise Invalid(f"Dates must be after {FIRST_DATE}.", field=field)


def _of_dates(
    period: Period, compare: Compare, first: date, beyond: date, months: int | None
) -> Earlier:
    zone = period.timezone
    found = Period(
        start_bucket=day_start(first, zone), end_bucket=day_start(beyond, zone), timezone=zone
    )
    return Earlier(period=found, compare=compare, months=months)


def _as_many_days(period: Period, compare: Compare, first: date) -> Earlier:
    return _of_dates(period, compare, first, first + timedelta(days=period.days), None)


def _moved(period: Period, compare: Compare, shift: int) -> Earlier:
    found = Period(
        start_bucket=period.start_bucket - shift,
        end_bucket=period.end_bucket - shift,
        timezone=period.timezone,
    )
    return Earlier(period=found, compare=compare)


def _first_at(day: date, at: time, timezone: str) -> int:
    """The first bucket of a local day at or after a wall-clock time."""
    zone = parse_zone(timezone)
    end = day_start(day + timedelta(days=1), timezone)
    for bucket in range(day_start(day, timezone), end):
        if bucket_start(bucket).astimezone(zone).time() >= at:
            return bucket
    return end

"""Time ranges, zones and buckets.

Usage is stored per bucket: a 15-minute cell in UTC, numbered from the epoch. Every current IANA
offset is a multiple of 15 minutes, so every local hour, day, week and month since 2020 is a whole
number of buckets and can be answered exactly. A `Period` is a half-open range of buckets in a zone;
an `Interval` divides it into local steps whose edges are computed here with `zoneinfo`, once for
all engines.
"""

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid

BUCKET_SECONDS: Final = 900
BUCKET_US: Final = BUCKET_SECONDS * 1_000_000
BUCKETS_PER_HOUR: Final = 4
BUCKETS_PER_DAY: Final = 96

FIRST_DATE: Final = date(2000, 1, 1)
LAST_DATE: Final = date(2099, 12, 31)
MAX_DAYS: Final = 20 * 366
"""Longest period of a query."""

MAX_STEPS: Final = 9_000
"""Maximum number of steps in an answer: a year of hours fits, ten years of hours do not."""


class Interval(StrEnum):
    """The display step of a series."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"
    """No steps: the whole period as one."""


class Preset(StrEnum):
    """Named periods relative to now."""

    LAST_24_HOURS = "24h"
    LAST_7_DAYS = "7d"
    LAST_30_DAYS = "30d"
    LAST_3_MONTHS = "3m"
    THIS_MONTH = "mtd"
    LAST_MONTH = "last-month"
    THIS_QUARTER = "qtd"
    YEAR_TO_DATE = "ytd"
    ALL = "all"


PRESETS_BY_NAME: Final = {**{preset.value: preset for preset in Preset}, "1m": Preset.LAST_30_DAYS}
"""Presets by display name, in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A half-open range [start_bucket, end_bucket) of buckets in a time zone."""

    start_bucket: int
    end_bucket: int
    timezone: str
    preset: Preset | None = field(default=None, compare=False)
    """The preset that it was requested by. Not compared: two periods of the same buckets are
    equal."""

    @property
    def start(self) -> datetime:
        """First instant of the period, UTC."""
        return bucket_start(self.start_bucket)

    @property
    def end(self) -> datetime:
        """First instant after the period, UTC."""
        return bucket_start(self.end_bucket)

    @property
    def from_date(self) -> date:
        """Local date of the first instant."""
        return self.start.astimezone(parse_zone(self.timezone)).date()

    @property
    def to_date(self) -> date:
        """Local date of the last instant, inclusive."""
        if self.end_bucket == self.start_bucket:
            return self.from_date
        last = self.end - timedelta(seconds=1)
        return last.astimezone(parse_zone(self.timezone)).date()

    @property
    def days(self) -> int:
        """Number of local dates the period touches."""
        return (self.to_date - self.from_date).days + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One interval of a period: its buckets and its label."""

    start_bucket: int
    end_bucket: int
    label: str
    """`2026-11-01` for days, weeks and months (their first date), `2026-11-01T01:00` for hours."""
    start: datetime
    """First instant, in the period's zone."""
    is_cut: bool = False
    """Whether the period contains only a part of this week or month."""


def bucket_start(bucket: int) -> datetime:
    """First instant of a bucket, UTC."""
    return datetime.fromtimestamp(bucket * BUCKET_SECONDS, UTC)


def bucket_at(instant: datetime) -> int:
    """The bucket that contains an aware instant."""
    return int(instant.timestamp()) // BUCKET_SECONDS


@lru_cache(maxsize=1024)
def parse_zone(name: str) -> ZoneInfo:
    """The IANA zone called `name`; raises Invalid if there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        shown = name if len(name) <= 64 else name[:61] + "..."
        raise Invalid(
            f"Unknown time zone {shown!r}. Use an IANA name such as UTC or Europe/Berlin.",
            code=ErrorCode.UNKNOWN_TIMEZONE,
            field="timezone",
        ) from error


@lru_cache(maxsize=65_536)
def day_start(day: date, timezone: str) -> int:
    """The bucket in which local `day` begins.

    That is local midnight, or the first instant of the day if clocks skip midnight. If the zone
    skipped the date altogether, it is the start of the next date.
    """
    zone = parse_zone(timezone)
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    guess = bucket_at(midnight)
    if _local_date(guess, zone) == day and _local_date(guess - 1, zone) < day:
        return guess
    span = range(guess - 120, guess + 120)
    return span[bisect_left(span, day, key=lambda bucket: _local_date(bucket, zone))]


def _local_date(bucket: int, zone: ZoneInfo) -> date:
    return bucket_start(bucket).astimezone(zone).date()


def period_of_dates(from_date: date, to_date: date, timezone: str) -> Period:
    """The period from the start of `from_date` to the end of `to_date`, both inclusive."""
    parse_zone(timezone)
    if to_date < from_date:
        raise Invalid(
            f"The range is reversed: {from_date} is after {to_date}.",
            code=ErrorCode.REVERSED_RANGE,
            field="from",
        )
    if from_date < FIRST_DATE or to_date > LAST_DATE:
        raise Invalid(
            f"Dates must be between {FIRST_DATE} and {LAST_DATE}.",
            code=ErrorCode.RANGE_OUT_OF_BOUNDS,
            field="from" if from_date < FIRST_DATE else "to",
        )
    if (to_date - from_date).days >= MAX_DAYS:
        raise Invalid(
            f"The range is longer than {MAX_DAYS:,} days. Request a shorter range.",
            code=ErrorCode.RANGE_TOO_LONG,
            field="to",
        )
    return Period(
        start_bucket=day_start(from_date, timezone),
        end_bucket=day_start(to_date + timedelta(days=1), timezone),
        timezone=timezone,
    )


def period_of_buckets(start_bucket: int, end_bucket: int, timezone: str) -> Period:
    """The period of a range of buckets from user input; raises Invalid if it is out of bounds."""
    parse_zone(timezone)
    first, last = day_start(FIRST_DATE, timezone), day_start(LAST_DATE, timezone)
    length = end_bucket - start_bucket
    if not (first <= start_bucket and end_bucket <= last and length >= 0):
        raise Invalid(f"Dates must be between {FIRST_DATE} and {LAST_DATE}.", field="from")
    if length > MAX_DAYS * BUCKETS_PER_DAY:
        raise Invalid(
            f"The range is longer than {MAX_DAYS:,} days. Request a shorter range.", field="to"
        )
    return Period(start_bucket=start_bucket, end_bucket=end_bucket, timezone=timezone)


def period_of_preset(
    preset: Preset, now: datetime, timezone: str, *, first_event: datetime | None = None
) -> Period:
    """The period that a preset means at `now`; ALL begins with the day of `first_event`."""
    zone = parse_zone(timezone)
    today = now.astimezone(zone).date()
    if preset is Preset.LAST_24_HOURS:
        end = _hour_end(bucket_at(now), zone)
        return Period(
            start_bucket=end - 24 * BUCKETS_PER_HOUR,
            end_bucket=end,
            timezone=timezone,
            preset=preset,
        )
    from_date, to_date = _preset_dates(preset, today, first_event and first_event.astimezone(zone))
    period = period_of_dates(from_date, to_date, timezone)
    return Period(
        start_bucket=period.start_bucket,
        end_bucket=period.end_bucket,
        timezone=timezone,
        preset=preset,
    )


def _preset_dates(preset: Preset, today: date, first: datetime | None) -> tuple[date, date]:
    match preset:
        case Preset.LAST_7_DAYS:
            return today - timedelta(days=6), today
        case Preset.LAST_3_MONTHS:
            return months_before(today, 3) + timedelta(days=1), today
        case Preset.THIS_MONTH:
            return today.replace(day=1), today
        case Preset.LAST_MONTH:
            last = today.replace(day=1) - timedelta(days=1)
            return last.replace(day=1), last
        case Preset.THIS_QUARTER:
            return today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1), today
        case Preset.YEAR_TO_DATE:
            return today.replace(month=1, day=1), today
        case Preset.ALL:
            return (min(first.date(), today) if first else today), today
        case _:
            return today - timedelta(days=29), today


def months_before(day: date, months: int) -> date:
    """The same day of the month `months` earlier, or the last day of a shorter month."""
    index = day.year * 12 + day.month - 1 - months
    following = date((index + 1) // 12, (index + 1) % 12 + 1, 1)
    return min(
        date(index // 12, index % 12 + 1, 1) + timedelta(days=day.day - 1),
        following - timedelta(days=1),
    )


def _hour_end(bucket: int, zone: ZoneInfo) -> int:
    """The first bucket after the local hour that contains `bucket`."""
    key = _hour_key(bucket, zone)
    while _hour_key(bucket, zone) == key:
        bucket += 1
    return bucket


def _hour_key(bucket: int, zone: ZoneInfo) -> tuple[date, int, timedelta | None]:
    """Identifies a local hour: the two 01:00 hours when clocks go back are different."""
    local = bucket_start(bucket).astimezone(zone)
    return local.date(), local.hour, local.utcoffset()


def choose_interval(period: Period) -> Interval:
    """The default interval of a period: hours up to 3 days, days up to half a year, and so on."""
    days = period.days
    if days <= 3:
        return Interval.HOUR
    if days <= 186:
        return Interval.DAY
    return Interval.WEEK if days <= 3 * 366 else Interval.MONTH


@lru_cache(maxsize=256)
def steps_of(period: Period, interval: Interval) -> tuple[Step, ...]:
    """The intervals of a period in order: contiguous, covering it exactly, none of them empty.

    The first and last week or month are cut to the period and marked as cut. Raises Invalid for
    more than MAX_STEPS.
    """
    if period.start_bucket == period.end_bucket:
        return ()
    if interval is Interval.HOUR:
        edges = _hour_edges(period)
    elif interval is Interval.TOTAL:
        edges = [period.start_bucket]
    else:
        edges = _date_edges(period, interval)
    zone = parse_zone(period.timezone)
    ends = [*edges[1:], period.end_bucket]
    steps = []
    for start, end in zip(edges, ends, strict=True):
        local = bucket_start(start).astimezone(zone)
        label = f"{local:%Y-%m-%dT%H:%M}" if interval is Interval.HOUR else f"{local:%Y-%m-%d}"
        steps.append(Step(start_bucket=start, end_bucket=end, label=label, start=local))
    if interval in {Interval.WEEK, Interval.MONTH}:
        _mark_cut(steps, period, interval)
    return tuple(steps)


def _mark_cut(steps: list[Step], period: Period, interval: Interval) -> None:
    """Marks the first and last step if the week or month extends beyond the period."""
    first, zone = period.from_date, period.timezone
    begin = first.replace(day=1)
    if interval is Interval.WEEK:
        begin = first - timedelta(days=first.weekday())
    if day_start(begin, zone) < period.start_bucket:
        steps[0] = replace(steps[0], is_cut=True)
    if day_start(_next_date(period.to_date, interval), zone) > period.end_bucket:
        steps[-1] = replace(steps[-1], is_cut=True)


def _hour_edges(period: Period) -> list[int]:
    if period.end_bucket - period.start_bucket > MAX_STEPS * BUCKETS_PER_HOUR:
        raise Invalid(
            f"This range has more than {MAX_STEPS:,} hourly steps. Use `bucket=day`.",
            code=ErrorCode.TOO_MANY_STEPS,
            field="bucket",
        )
    zone = parse_zone(period.timezone)
    edges = [period.start_bucket]
    key = _hour_key(period.start_bucket, zone)
    for bucket in range(period.start_bucket + 1, period.end_bucket):
        following = _hour_key(bucket, zone)
        if following != key:
            edges.append(bucket)
            key = following
    return edges


def _date_edges(period: Period, interval: Interval) -> list[int]:
    edges = [period.start_bucket]
    day = period.from_date
    while (day := _next_date(day, interval)) <= period.to_date:
        edge = day_start(day, period.timezone)
        if edges[-1] < edge < period.end_bucket:
            edges.append(edge)
    return edges


def _next_date(day: date, interval: Interval) -> date:
    """First date of the interval after the one that contains `day`; weeks begin on Monday."""
    if interval is Interval.DAY:
        return day + timedelta(days=1)
    if interval is Interval.WEEK:
        return day + timedelta(days=7 - day.weekday())
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)

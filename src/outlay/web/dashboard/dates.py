"""Dates and times as pages write them: `Nov 28, 2026`, in the zone of the page."""

from datetime import date, datetime

from outlay.domain.period import Interval, Period, Step, bucket_start, parse_zone


def describe_date(day: date, *, with_year: bool = True) -> str:
    """`Nov 20, 2026`."""
    text = f"{day:%b} {day.day}"
    return f"{text}, {day.year}" if with_year else text


def describe_dates(period: Period, *, with_year: bool = True) -> str:
    """`Oct 22 – Nov 20, 2026`; without a year only where both dates have the same."""
    return describe_range(period.from_date, period.to_date, with_year=with_year)


def describe_range(first: date, last: date, *, with_year: bool = True) -> str:
    """The same of two dates, both inclusive."""
    same_year = first.year == last.year
    with_year = with_year or not same_year
    if first == last:
        return describe_date(first, with_year=with_year)
    start = describe_date(first, with_year=not same_year)
    return f"{start} – {describe_date(last, with_year=with_year)}"


def describe_time(local: datetime, *, with_year: bool = False) -> str:
    """`Nov 20, 14:00`, of an instant in the zone of the page."""
    return f"{describe_date(local.date(), with_year=with_year)}, {local:%H:%M}"


def describe_day(instant: datetime, timezone: str) -> str:
    """`Nov 20, 2026`, of an instant."""
    return describe_date(instant.astimezone(parse_zone(timezone)).date())


def describe_moment(instant: datetime, timezone: str) -> str:
    """`Nov 20, 2026, 14:00 Europe/Berlin`."""
    local = instant.astimezone(parse_zone(timezone))
    return f"{describe_time(local, with_year=True)} {timezone}"


def describe_clock(instant: datetime, timezone: str) -> str:
    """`14:00:25 Europe/Berlin`, of today."""
    return f"{instant.astimezone(parse_zone(timezone)):%H:%M:%S} {timezone}"


def describe_step(step: Step, interval: Interval) -> str:
    """What to call an interval: `Nov 20`, `Nov 20, 14:00`, `Nov 16 – Nov 22`, `November 2026`."""
    if interval is Interval.HOUR:
        return describe_time(step.start)
    first = step.start.date()
    if interval is Interval.MONTH and not step.is_cut:
        return f"{first:%B %Y}"
    end = bucket_start(step.end_bucket - 1).astimezone(step.start.tzinfo)
    return describe_range(first, end.date(), with_year=False)

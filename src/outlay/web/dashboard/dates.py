"""Dates and times as pages show them: `Nov 28, 2026`, in the page's time zone."""

from datetime import date, datetime

from outlay.domain.period import Interval, Period, Step, bucket_start, parse_zone


def describe_date(day: date, *, with_year: bool = True) -> str:
    """`Nov 20, 2026`."""
    text = f"{day:%b} {day.day}"
    return f"{text}, {day.year}" if with_year else text


def describe_dates(period: Period, *, with_year: bool = True) -> str:
    """`Oct 22 – Nov 20, 2026`; the first date has a year only if it differs."""
    return describe_range(period.from_date, period.to_date, with_year=with_year)


def describe_range(first: date, last: date, *, with_year: bool = True) -> str:
    """A range of two dates, both inclusive."""
    same_year = first.year == last.year
    with_year = with_year or not same_year
    if first == last:
        return describe_date(first, with_year=with_year)
    start = describe_date(first, with_year=not same_year)
    return f"{start} – {describe_date(last, with_year=with_year)}"


def describe_time(local: datetime, *, with_year: bool = False) -> str:
    """`Nov 20, 14:00`, for an instant in the page's time zone."""
    return f"{describe_date(local.date(), with_year=with_year)}, {local:%H:%M}"


def describe_day(instant: datetime, timezone: str) -> str:
    """`Nov 20, 2026`, for an instant."""
    return describe_date(instant.astimezone(parse_zone(timezone)).date())


def describe_moment(instant: datetime, timezone: str) -> str:
    """`Nov 20, 2026, 14:00 Europe/Berlin`."""
    local = instant.astimezone(parse_zone(timezone))
    return f"{describe_time(local, with_year=True)} {timezone}"


def describe_clock(instant: datetime, timezone: str) -> str:
    """`14:00:25 Europe/Berlin`, for today."""
    return f"{instant.astimezone(parse_zone(timezone)):%H:%M:%S} {timezone}"


def describe_step(step: Step, interval: Interval) -> str:
    """The label of an interval: `Nov 20`, `Nov 20, 14:00`, `Nov 16 – Nov 22`, `November 2026`."""
    if interval is Interval.HOUR:
        return describe_time(step.start)
    first = step.start.date()
    if interval is Interval.MONTH and not step.is_cut:
        return f"{first:%B %Y}"
    end = bucket_start(step.end_bucket - 1).astimezone(step.start.tzinfo)
    return describe_range(first, end.date(), with_year=False)

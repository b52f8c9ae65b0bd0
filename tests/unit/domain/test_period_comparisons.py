"""Which period another one is compared with, checked against an oracle of plain dates."""

import calendar
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.domain.comparison_period import Compare, Earlier, earlier_of, elapsed_part, whole_months
from outlay.domain.errors import Invalid
from outlay.domain.period import (
    Interval,
    Period,
    Preset,
    bucket_start,
    day_start,
    period_of_dates,
    period_of_preset,
    steps_of,
)

ZONES = sorted(zoneinfo.available_timezones())
ODD_ZONES = ["UTC", "America/New_York", "America/Havana", "Asia/Kathmandu", "Australia/Lord_Howe"]
days = st.dates(date(2019, 1, 1), date(2029, 12, 31))
zones = st.sampled_from(ZONES)
instants = st.datetimes(
    datetime(2020, 1, 2),  # noqa: DTZ001 - strategies take naive bounds
    datetime(2029, 12, 30),  # noqa: DTZ001 - strategies take naive bounds
)


def beside(
    period: Period, compare: Compare = Compare.PREVIOUS, since: date | None = None
) -> Earlier:
    found = earlier_of(period, compare, since)
    assert found is not None
    return found


def dates(period: Period) -> tuple[str, str]:
    return period.from_date.isoformat(), period.to_date.isoformat()


def dated(from_date: str, to_date: str, zone: str = "UTC") -> Period:
    return period_of_dates(date.fromisoformat(from_date), date.fromisoformat(to_date), zone)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# An oracle that uses dates only


def clipped(year: int, month: int, day: int) -> date:
    """A date, or the last one of a month that is too short; months below 1 are in earlier years."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def month_of(day: date) -> tuple[date, date]:
    return clipped(day.year, day.month, 1), clipped(day.year, day.month, 31)


def set_of(first: date, last: date) -> set[date]:
    return {first + timedelta(days=n) for n in range((last - first).days + 1)}


def dates_of(period: Period) -> set[date]:
    return set_of(period.from_date, period.to_date)


@pytest.mark.parametrize(
    ("preset", "today", "expected"),
    [
        (Preset.LAST_MONTH, "2026-11-20", ("2026-09-01", "2026-09-30")),
        (Preset.LAST_MONTH, "2026-03-20", ("2026-01-01", "2026-01-31")),
        (Preset.LAST_MONTH, "2026-01-01", ("2025-11-01", "2025-11-30")),
        (Preset.THIS_MONTH, "2026-11-28", ("2026-10-01", "2026-10-28")),
        (Preset.THIS_MONTH, "2026-11-30", ("2026-10-01", "2026-10-30")),
        (Preset.THIS_MONTH, "2026-03-30", ("2026-02-01", "2026-02-28")),
        (Preset.THIS_MONTH, "2028-03-30", ("2028-02-01", "2028-02-29")),
        (Preset.THIS_MONTH, "2026-01-01", ("2025-12-01", "2025-12-01")),
        (Preset.THIS_QUARTER, "2026-11-20", ("2026-07-01", "2026-08-20")),
        (Preset.THIS_QUARTER, "2026-12-31", ("2026-07-01", "2026-09-30")),
        (Preset.THIS_QUARTER, "2026-05-31", ("2026-01-01", "2026-02-28")),
        (Preset.YEAR_TO_DATE, "2026-11-20", ("2025-01-01", "2025-11-20")),
        (Preset.YEAR_TO_DATE, "2028-02-29", ("2027-01-01", "2027-02-28")),
        (Preset.LAST_30_DAYS, "2026-11-20", ("2026-09-17", "2026-10-16")),
        (Preset.LAST_30_DAYS, "2026-11-30", ("2026-09-27", "2026-10-26")),
        (Preset.LAST_7_DAYS, "2026-11-20", ("2026-11-07", "2026-11-13")),
    ],
)
def test_calendar_presets_compare_with_calendar_predecessors(
    preset: Preset, today: str, expected: tuple[str, str]
) -> None:
    for zone in ODD_ZONES:
        noon = datetime.fromisoformat(f"{today}T12:00").replace(tzinfo=zoneinfo.ZoneInfo(zone))
        period = period_of_preset(preset, noon.astimezone(UTC), zone)
        assert dates(beside(period).period) == expected


@pytest.mark.parametrize(
    ("asked", "previous", "year"),
    [
        (("2026-10-01", "2026-10-31"), ("2026-09-01", "2026-09-30"), ("2025-10-01", "2025-10-31")),
        (("2024-02-01", "2024-02-29"), ("2024-01-01", "2024-01-31"), ("2023-02-01", "2023-02-28")),
        (("2025-02-01", "2025-02-28"), ("2025-01-01", "2025-01-31"), ("2024-02-01", "2024-02-29")),
        (("2026-07-01", "2026-09-30"), ("2026-04-01", "2026-06-30"), ("2025-07-01", "2025-09-30")),
        (("2024-01-01", "2024-12-31"), ("2023-01-01", "2023-12-31"), ("2023-01-01", "2023-12-31")),
        (("2025-01-01", "2025-12-31"), ("2024-01-01", "2024-12-31"), ("2024-01-01", "2024-12-31")),
        (("2026-01-01", "2026-06-30"), ("2025-07-01", "2025-12-31"), ("2025-01-01", "2025-06-30")),
        (("2026-10-02", "2026-10-31"), ("2026-08-28", "2026-09-26"), ("2025-10-02", "2025-10-31")),
        (("2024-02-29", "2024-02-29"), ("2024-02-28", "2024-02-28"), ("2023-02-28", "2023-02-28")),
        (("2024-02-20", "2024-02-29"), ("2024-02-10", "2024-02-19"), ("2023-02-20", "2023-02-28")),
        (("2024-02-29", "2024-03-02"), ("2024-02-26", "2024-02-28"), ("2023-03-01", "2023-03-02")),
        (("2025-02-28", "2025-02-28"), ("2025-02-27", "2025-02-27"), ("2024-02-28", "2024-02-29")),
    ],
)
def test_ranges_of_dates(
    asked: tuple[str, str], previous: tuple[str, str], year: tuple[str, str]
) -> None:
    for zone in ODD_ZONES:
        period = dated(*asked, zone)
        assert dates(beside(period).period) == previous
        assert dates(beside(period, Compare.YEAR).period) == year


@given(days, st.integers(1, 30), zones)
def test_whole_months_are_compared_with_as_many_whole_months(
    day: date, count: int, zone: str
) -> None:
    first, last = month_of(day)[0], clipped(day.year, day.month + count - 1, 31)
    period = period_of_dates(first, last, zone)

    assert whole_months(period) == count
    earlier = beside(period).period
    assert earlier.end_bucket == period.start_bucket
    assert earlier.start_bucket == day_start(clipped(day.year, day.month - count, 1), zone)


@given(days, st.lists(st.integers(1, 400), min_size=1, max_size=8), zones)
def test_year_before_neither_skips_nor_repeats_days(
    first: date, lengths: list[int], zone: str
) -> None:
    """Consecutive periods have consecutive predecessors: their sums cover the same range."""
    edges = [first]
    for length in lengths:
        edges.append(edges[-1] + timedelta(days=length))
    periods = [
        period_of_dates(start, end - timedelta(days=1), zone) for start, end in pairwise(edges)
    ]
    leap = [period for period in periods if period.days == 1 and period.from_date.day == 29]
    if any(period.from_date.month == 2 for period in leap):
        return  # a leap day alone has no equivalent and is compared with the 28th
    earlier = [beside(period, Compare.YEAR).period for period in periods]

    assert all(a.end_bucket == b.start_bucket for a, b in pairwise(earlier))
    for now, then in zip(periods, earlier, strict=True):
        wanted = {
            day.replace(year=day.year - 1)
            for day in dates_of(now)
            if (day.month, day.day) != (2, 29)
        }
        leap_days = {day for day in dates_of(then) if (day.month, day.day) == (2, 29)}
        assert dates_of(then) == wanted | leap_days
        assert all(day - timedelta(days=1) in wanted for day in leap_days)


@given(instants, zones, st.sampled_from([Preset.THIS_MONTH, Preset.THIS_QUARTER]))
def test_to_date_compares_with_the_same_days_clipped_at_the_end(
    moment: datetime, zone: str, preset: Preset
) -> None:
    now = moment.replace(tzinfo=UTC)
    period = period_of_preset(preset, now, zone)
    found = beside(period)

    today = now.astimezone(zoneinfo.ZoneInfo(zone)).date()
    months = 1 if preset is Preset.THIS_MONTH else 3
    begin = clipped(today.year, today.month - (today.month - 1) % months - months, 1)
    like = clipped(today.year, today.month - months, today.day)
    assert dates_of(found.period) == set_of(begin, like)
    part = found.part(period, elapsed_part(period, now))
    assert part.start_bucket == found.period.start_bucket
    if like.day == today.day:
        # The same part of the day, except for clock changes on either day.
        into = elapsed_part(period, now).end_bucket - day_start(today, zone)
        assert abs(part.end_bucket - day_start(like, zone) - into) <= 12
    else:
        assert part.end_bucket == found.period.end_bucket


@given(days, st.integers(1, 400), zones, st.integers(0, 400), st.sampled_from(Compare))
def test_elapsed_part_grows_from_nothing_to_everything(
    first: date, length: int, zone: str, after: int, compare: Compare
) -> None:
    period = period_of_dates(first, first + timedelta(days=length - 1), zone)
    found = earlier_of(period, compare, date(2019, 3, 1))
    if found is None:
        assert compare is Compare.NONE
        return
    start = bucket_start(period.start_bucket) + timedelta(days=min(after, length))
    ends = [
        found.part(period, elapsed_part(period, start + timedelta(minutes=15 * n))).end_bucket
        for n in range(-8, 104, 3)
    ]
    assert ends == sorted(ends)
    assert found.period.start_bucket <= ends[0]
    assert ends[-1] <= found.period.end_bucket
    over = period.end + timedelta(seconds=1)
    assert found.part(period, elapsed_part(period, over)) == found.period


@pytest.mark.parametrize(
    ("period", "now", "part_end"),
    [
        (dated("2026-11-14", "2026-11-20"), "2026-11-20T12:34", "2026-11-13T12:45"),
        # In a month that is longer than the previous one: its end.
        (dated("2026-03-01", "2026-03-31"), "2026-03-30T12:34", "2026-03-01T00:00"),
        (dated("2026-03-01", "2026-03-31"), "2026-03-28T12:34", "2026-02-28T12:45"),
        # In a shorter month: the same day, until the month is over.
        (dated("2026-02-01", "2026-02-28"), "2026-02-28T12:34", "2026-01-28T12:45"),
        (dated("2026-02-01", "2026-02-28"), "2026-02-28T23:50", "2026-02-01T00:00"),
        # For months of different lengths the date counts, not the number of days.
        (dated("2026-10-01", "2026-12-31"), "2026-12-10T12:34", "2026-09-10T12:45"),
    ],
)
def test_unfinished_period_is_compared_with_its_same_part(
    period: Period, now: str, part_end: str
) -> None:
    part = beside(period).part(period, elapsed_part(period, at(now)))

    assert part.end == at(part_end)


def test_unfinished_day_is_compared_by_wall_clock() -> None:
    """On 8 March 2026 New York skipped 02:00 to 03:00; on 1 November 2026 it had 01:00 twice."""
    zone = zoneinfo.ZoneInfo("America/New_York")
    for today, hour, like in (
        ("2026-03-09", 12, "2026-03-08T12:15"),
        ("2026-03-08", 12, "2026-03-07T12:15"),
        ("2026-03-09", 2, "2026-03-08T03:00"),
        ("2026-11-02", 12, "2026-11-01T12:15"),
        ("2026-11-02", 2, "2026-11-01T02:15"),
    ):
        now = datetime.fromisoformat(f"{today}T{hour:02}:00").replace(tzinfo=zone)
        period = dated(today, today, zone.key)
        part = beside(period).part(period, elapsed_part(period, now.astimezone(UTC)))
        assert part.end.astimezone(zone).isoformat()[:16] == like


@pytest.mark.parametrize("zone", ODD_ZONES)
def test_last_24_hours_compare_with_the_24_before(zone: str) -> None:
    now = at("2026-11-20T12:34")
    period = period_of_preset(Preset.LAST_24_HOURS, now, zone)
    found = beside(period)

    assert found.period.end_bucket == period.start_bucket
    part = found.part(period, elapsed_part(period, now))
    assert elapsed_part(period, now).end - part.end == timedelta(hours=24)


@given(days, st.integers(0, 400), zones)
def test_other_ranges_keep_their_length_and_weekdays(first: date, more: int, zone: str) -> None:
    period = period_of_dates(first, first + timedelta(days=more), zone)
    if whole_months(period):
        return
    length = more + 1
    moved = length if length < 14 else next(n for n in range(length, length + 7) if n % 7 == 0)
    start = first - timedelta(days=moved)

    found = beside(period).period
    assert found.start_bucket == day_start(start, zone)
    assert found.end_bucket == day_start(start + timedelta(days=length), zone)


def test_custom_period_begins_on_the_given_date() -> None:
    month, week = dated("2026-11-01", "2026-11-30"), dated("2026-11-02", "2026-11-08")

    assert dates(beside(month, Compare.CUSTOM, date(2026, 8, 1)).period) == (
        "2026-08-01",
        "2026-08-31",
    )
    assert dates(beside(month, Compare.CUSTOM, date(2026, 8, 3)).period) == (
        "2026-08-03",
        "2026-09-01",
    )
    assert dates(beside(week, Compare.CUSTOM, date(2026, 8, 1)).period) == (
        "2026-08-01",
        "2026-08-07",
    )
    for since in (None, date(1999, 1, 1)):
        with pytest.raises(Invalid) as caught:
            earlier_of(week, Compare.CUSTOM, since)
        assert caught.value.field == "compareFrom"


def test_months_are_aligned_day_by_day() -> None:
    period = dated("2026-10-01", "2026-10-31")
    pairs = zip(
        steps_of(period, Interval.DAY), steps_of(beside(period).period, Interval.DAY), strict=False
    )

    assert all(now.start.day == then.start.day for now, then in pairs)

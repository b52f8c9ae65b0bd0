"""Local days, hours, weeks and months are exact in every zone."""

import io
import struct
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.domain import period as period_module
from outlay.domain.errors import Invalid
from outlay.domain.period import (
    BUCKETS_PER_HOUR,
    Interval,
    Preset,
    bucket_start,
    day_start,
    period_of_dates,
    period_of_preset,
    steps_of,
)

ZONES = sorted(zoneinfo.available_timezones())
NOW = datetime(2026, 11, 20, 12, 34, tzinfo=UTC)

moments = st.datetimes(
    datetime(2020, 1, 2),  # noqa: DTZ001 - strategies take naive bounds
    datetime(2027, 12, 30),  # noqa: DTZ001 - strategies take naive bounds
)
days = st.dates(date(2020, 1, 1), date(2027, 12, 31))


def hours(from_date: str, to_date: str, zone: str) -> float:
    period = period_of_dates(date.fromisoformat(from_date), date.fromisoformat(to_date), zone)
    return (period.end_bucket - period.start_bucket) / 4


@pytest.mark.parametrize(
    ("day", "zone", "length"),
    [
        ("2026-03-08", "America/Havana", 23),  # 00:00 does not exist: clocks go to 01:00
        ("2026-11-01", "America/New_York", 25),
        ("2026-03-08", "America/New_York", 23),
        ("2026-04-04", "America/Santiago", 25),
        ("2026-04-05", "America/Santiago", 24),
        ("2026-09-06", "America/Santiago", 23),  # another day without a midnight
        ("2026-04-05", "Australia/Lord_Howe", 24.5),  # daylight saving of half an hour
        ("2026-10-04", "Australia/Lord_Howe", 23.5),
        ("2026-06-01", "Asia/Kathmandu", 24),
    ],
)
def test_length_of_a_local_day(day: str, zone: str, length: float) -> None:
    assert hours(day, day, zone) == length


def test_kathmandu_day_begins_at_18_15_utc() -> None:
    period = period_of_dates(date(2026, 6, 1), date(2026, 6, 1), "Asia/Kathmandu")

    assert period.start == datetime(2026, 5, 31, 18, 15, tzinfo=UTC)


@pytest.mark.parametrize("zone", ZONES)
def test_day_edges_are_where_the_local_date_changes(zone: str) -> None:
    """Around both clock changes of 2026, and on a day in summer and in winter."""
    local = zoneinfo.ZoneInfo(zone)
    offsets = {}
    for number in range(366):
        noon = datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=number)
        offsets[noon.date()] = noon.astimezone(local).utcoffset()
    changed = [
        later for (_, before), (later, after) in pairwise(offsets.items()) if before != after
    ]
    for day in [date(2026, 1, 15), date(2026, 7, 15), *changed]:
        period = period_of_dates(day - timedelta(days=1), day + timedelta(days=1), zone)
        for step in steps_of(period, Interval.DAY):
            for bucket in (step.start_bucket, step.end_bucket - 1):
                assert bucket_start(bucket).astimezone(local).date().isoformat() == step.label


def test_skipped_date_is_empty_and_begins_with_the_next() -> None:
    """Samoa skipped from 29 to 31 December 2011 at midnight, across the date line."""
    zone = "Pacific/Apia"
    thursday, friday, saturday = (date(2011, 12, day) for day in (29, 30, 31))

    assert day_start(friday, zone) == day_start(saturday, zone)
    assert day_start(friday, zone) - day_start(thursday, zone) == 24 * BUCKETS_PER_HOUR
    assert bucket_start(day_start(friday, zone)) == datetime(2011, 12, 30, 10, tzinfo=UTC)
    assert steps_of(period_of_dates(friday, friday, zone), Interval.DAY) == ()
    steps = steps_of(period_of_dates(thursday, saturday, zone), Interval.DAY)
    assert [step.label for step in steps] == ["2011-12-29", "2011-12-31"]


def test_day_with_midnight_in_a_gap_begins_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No zone has skipped from 23:30 to 00:30 since 2000, but a government may decide so."""
    change = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
    counts = struct.pack(">6l", 0, 0, 0, 1, 2, 8)
    types = struct.pack(">lBB", 0, 0, 0) + struct.pack(">lBB", 3600, 1, 4)
    times = struct.pack(">lB", int(change.timestamp()), 1)
    file = io.BytesIO(b"TZif" + bytes(16) + counts + times + types + b"STD\0DST\0")
    zone = zoneinfo.ZoneInfo.from_file(file, key="Test/Gap")
    monkeypatch.setattr(period_module, "parse_zone", lambda _: zone)

    assert bucket_start(day_start(date(2026, 3, 29), "Test/Gap")) == change
    assert bucket_start(day_start(date(2026, 3, 30), "Test/Gap")).hour == 23


@pytest.mark.parametrize("month", range(1, 13))
def test_quarter_begins_in_january_april_july_or_october(month: int) -> None:
    now = datetime(2026, month, 15, 12, tzinfo=UTC)
    first = {1: 1, 2: 1, 3: 1, 4: 4, 5: 4, 6: 4, 7: 7, 8: 7, 9: 7, 10: 10, 11: 10, 12: 10}

    found = period_of_preset(Preset.THIS_QUARTER, now, "UTC")

    assert (found.from_date, found.to_date) == (date(2026, first[month], 1), now.date())


@pytest.mark.parametrize(
    ("today", "from_date"),
    [
        ("2026-05-31", "2026-03-01"),  # the day after 28 February, because there is no 31st
        ("2028-05-31", "2028-03-01"),  # after 29 February
        ("2026-05-28", "2026-03-01"),
        ("2026-05-27", "2026-02-28"),
        ("2026-01-31", "2025-11-01"),  # after 31 October
        ("2026-03-01", "2025-12-02"),
    ],
)
def test_three_months_begin_the_day_after_the_same_day(today: str, from_date: str) -> None:
    now = datetime.fromisoformat(f"{today}T12:00:00+00:00")

    found = period_of_preset(Preset.LAST_3_MONTHS, now, "UTC")

    assert (found.from_date.isoformat(), found.to_date.isoformat()) == (from_date, today)


@given(days, st.integers(0, 60), st.sampled_from(ZONES), st.sampled_from(list(Interval)))
def test_steps_abut_and_cover_the_period(
    start: date, length: int, zone: str, interval: Interval
) -> None:
    period = period_of_dates(start, start + timedelta(days=length), zone)

    steps = steps_of(period, interval)

    assert steps[0].start_bucket == period.start_bucket
    assert steps[-1].end_bucket == period.end_bucket
    assert all(left.end_bucket == right.start_bucket for left, right in pairwise(steps))
    assert all(step.start_bucket < step.end_bucket for step in steps)


def test_repeated_hour_in_autumn_is_two_steps() -> None:
    period = period_of_dates(date(2026, 11, 1), date(2026, 11, 1), "America/New_York")

    starts = [step.start.isoformat() for step in steps_of(period, Interval.HOUR)]

    assert len(starts) == 25
    assert starts[1:3] == ["2026-11-01T01:00:00-04:00", "2026-11-01T01:00:00-05:00"]


def test_weeks_begin_on_monday_and_are_cut_to_the_period() -> None:
    period = period_of_dates(date(2026, 11, 4), date(2026, 11, 18), "Europe/Berlin")

    steps = steps_of(period, Interval.WEEK)

    assert [(step.label, step.is_cut) for step in steps] == [
        ("2026-11-04", True),
        ("2026-11-09", False),
        ("2026-11-16", True),
    ]


@pytest.mark.parametrize(
    ("from_date", "to_date", "interval", "cut"),
    [
        ("2026-11-02", "2026-11-08", Interval.WEEK, [False]),
        ("2026-11-03", "2026-11-08", Interval.WEEK, [True]),
        ("2026-11-02", "2026-11-07", Interval.WEEK, [True]),
        ("2026-10-01", "2026-11-30", Interval.MONTH, [False, False]),
        ("2026-10-02", "2026-11-30", Interval.MONTH, [True, False]),
        ("2026-10-01", "2026-11-29", Interval.MONTH, [False, True]),
        ("2026-11-03", "2026-11-04", Interval.DAY, [False, False]),
    ],
)
def test_week_or_month_beyond_the_period_is_marked(
    from_date: str, to_date: str, interval: Interval, cut: list[bool]
) -> None:
    for zone in ("UTC", "America/Havana", "Asia/Kathmandu"):
        dates = (date.fromisoformat(from_date), date.fromisoformat(to_date))
        steps = steps_of(period_of_dates(*dates, zone), interval)
        assert [step.is_cut for step in steps] == cut


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        (Preset.LAST_7_DAYS, ("2026-11-14", "2026-11-20")),
        (Preset.LAST_30_DAYS, ("2026-10-22", "2026-11-20")),
        (Preset.LAST_3_MONTHS, ("2026-08-21", "2026-11-20")),
        (Preset.THIS_MONTH, ("2026-11-01", "2026-11-20")),
        (Preset.LAST_MONTH, ("2026-10-01", "2026-10-31")),
        (Preset.THIS_QUARTER, ("2026-10-01", "2026-11-20")),
        (Preset.YEAR_TO_DATE, ("2026-01-01", "2026-11-20")),
        (Preset.ALL, ("2025-02-03", "2026-11-20")),
    ],
)
def test_presets_mean_local_dates(preset: Preset, expected: tuple[str, str]) -> None:
    first = datetime(2025, 2, 3, 4, tzinfo=UTC)

    period = period_of_preset(preset, NOW, "UTC", first_event=first)

    assert (period.from_date.isoformat(), period.to_date.isoformat()) == expected


@given(st.sampled_from(ZONES), moments)
def test_last_24_hours_end_with_the_current_hour(zone: str, moment: datetime) -> None:
    now = moment.replace(tzinfo=UTC)

    period = period_of_preset(Preset.LAST_24_HOURS, now, zone)

    assert period.end_bucket - period.start_bucket == 96
    assert timedelta(0) < period.end - now <= timedelta(hours=1, minutes=30)


@pytest.mark.parametrize(
    ("from_date", "to_date", "code"),
    [
        (date(2026, 2, 1), date(2026, 1, 1), "reversed-range"),
        (date(1, 1, 1), date(2026, 1, 1), "range-out-of-bounds"),
        (date(2026, 1, 1), date(9999, 12, 31), "range-out-of-bounds"),
        (date(2001, 1, 1), date(2099, 1, 1), "range-too-long"),
    ],
)
def test_reversed_and_endless_ranges_are_refused(from_date: date, to_date: date, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        period_of_dates(from_date, to_date, "UTC")

    assert caught.value.code == code


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "/etc/localtime", "a\0b"])
def test_unknown_zones_are_refused(zone: str) -> None:
    with pytest.raises(Invalid, match="time zone"):
        period_of_dates(date(2026, 1, 1), date(2026, 1, 1), zone)


def test_ten_years_of_hours_are_too_many_steps() -> None:
    period = period_of_dates(date(2016, 1, 1), date(2025, 12, 31), "UTC")

    with pytest.raises(Invalid, match="bucket=day"):
        steps_of(period, Interval.HOUR)

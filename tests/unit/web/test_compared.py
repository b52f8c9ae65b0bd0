"""What pages say about the compared period."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from outlay.domain.answers import NO_BREAKDOWN, ZERO, Comparison
from outlay.domain.comparison_period import Compare, earlier_of, elapsed_part
from outlay.domain.period import (
    Interval,
    Period,
    Preset,
    period_of_dates,
    period_of_preset,
    steps_of,
)
from outlay.web.dashboard.parts.compared import compared_data, describe_compared
from outlay.web.dashboard.parts.ranking import change_in
from outlay.web.http.usage_params import CARRIED

NOW = datetime(2026, 11, 20, 12, 34, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def compared(
    period: Period,
    compare: Compare = Compare.PREVIOUS,
    *,
    since: date | None = None,
    first: datetime | None = LONG_AGO,
    interval: Interval = Interval.DAY,
) -> Comparison:
    """A comparison without usage."""
    earlier = earlier_of(period, compare, since)
    elapsed = elapsed_part(period, NOW)
    nothing = replace(period, end_bucket=period.start_bucket, preset=None)
    return Comparison(
        compare=compare,
        period=period,
        elapsed=elapsed,
        current=replace(NO_BREAKDOWN, steps=steps_of(period, interval)),
        earlier_period=earlier.period if earlier else nothing,
        earlier_part=earlier.part(period, elapsed) if earlier else nothing,
        earlier_steps=(),
        earlier_windows=steps_of(earlier.period, interval) if earlier else (),
        earlier_total=ZERO,
        earlier_entries={},
        interval=interval,
        first_event=first,
    )


def preset(name: str, zone: str = "UTC") -> Period:
    return period_of_preset(Preset(name), NOW, zone)


def dated(first: str, last: str) -> Period:
    return period_of_dates(date.fromisoformat(first), date.fromisoformat(last), "UTC")


@pytest.mark.parametrize(
    ("comparison", "label", "name", "short"),
    [
        (
            compared(preset("last-month")),
            "Sep 1 – Sep 30, 2026",
            "September 2026",
            "September",
        ),
        (
            compared(preset("last-month"), Compare.YEAR),
            "Oct 1 – Oct 31, 2025",
            "October 2025",
            "October 2025",
        ),
        (
            compared(preset("mtd")),
            "Oct 1 – Oct 20, 2026",
            "Oct 1 – Oct 20, 2026",
            "Oct 1 – Oct 20",
        ),
        (compared(dated("2026-07-01", "2026-09-30")), "Apr 1 – Jun 30, 2026", "Q2 2026", "Q2"),
        (compared(dated("2026-01-01", "2026-12-31")), "Jan 1 – Dec 31, 2025", "2025", "2025"),
        (
            compared(preset("ytd")),
            "Jan 1 – Nov 20, 2025",
            "Jan 1 – Nov 20, 2025",
            "Jan 1 – Nov 20, 2025",
        ),
        (compared(dated("2026-11-19", "2026-11-19")), "Nov 18, 2026", "Nov 18, 2026", "Nov 18"),
        (
            compared(preset("24h")),
            "Nov 18, 13:00 – Nov 19, 2026, 13:00",
            "Nov 18, 13:00 – Nov 19, 2026, 13:00",
            "Nov 18 – Nov 19",
        ),
    ],
)
def test_compared_period_has_dates_and_a_name(
    comparison: Comparison, label: str, name: str, short: str
) -> None:
    found = describe_compared(comparison)

    assert found is not None
    assert (found.label, found.name, found.short) == (label, name, short)
    assert (found.note, found.is_new) == ("", False)


@pytest.mark.parametrize(
    ("asked", "first", "note", "is_new"),
    [
        ("last-month", "2026-09-01T23:00", "", False),
        ("last-month", "2026-09-02T00:00", "only Sep 2 – Sep 30 recorded", False),
        ("last-month", "2026-09-30T12:00", "only Sep 30 recorded", False),
        ("last-month", "2026-10-01T00:00", "new since Oct 1, 2026", True),
        # What the earlier period has after its comparable part does not count.
        ("mtd", "2026-10-20T13:00", "only Oct 20 recorded", False),
        ("mtd", "2026-10-21T00:00", "new since Oct 21, 2026", True),
        ("24h", "2026-11-18T14:30", "recorded only after Nov 18, 14:00", False),
        ("24h", "2026-11-18T12:30", "", False),
        ("24h", "2026-11-19T14:30", "new since Nov 19, 14:00", True),
    ],
)
def test_missing_history_is_reported(asked: str, first: str, note: str, is_new: bool) -> None:
    begun = datetime.fromisoformat(first).replace(tzinfo=UTC)
    comparison = compared(preset(asked), first=begun)
    found = describe_compared(comparison)

    assert found is not None
    assert (found.note, found.is_new) == (note, is_new)
    assert bool(change_in(comparison, 3, 2).text) is not is_new
    assert (compared_data(comparison) is None) is is_new


def test_nothing_is_shown_without_a_comparison() -> None:
    comparison = compared(preset("mtd"), Compare.NONE)

    assert describe_compared(comparison) is None
    assert compared_data(comparison) is None
    assert change_in(comparison, 3, 2).text == ""


@pytest.mark.parametrize(
    ("period", "interval", "dates"),
    [
        (dated("2026-03-28", "2026-03-29"), Interval.DAY, ["Mar 26", "Mar 27"]),
        (dated("2026-02-01", "2026-02-28"), Interval.WEEK, None),
        (dated("2025-12-01", "2026-01-31"), Interval.MONTH, ["October 2025", "November 2025"]),
        (dated("2026-03-29", "2026-03-29"), Interval.HOUR, None),
    ],
)
def test_every_point_is_labelled_with_its_counterpart(
    period: Period, interval: Interval, dates: list[str] | None
) -> None:
    data = compared_data(compared(period, interval=interval))

    assert data is not None
    assert len(data["dates"]) == len(steps_of(period, interval))
    assert dates is None or data["dates"] == dates


def test_points_beyond_a_shorter_month_have_no_counterpart() -> None:
    data = compared_data(compared(dated("2026-03-01", "2026-03-31")))

    assert data is not None
    assert data["dates"][27:] == ["Feb 28", None, None, None]


def test_browser_keeps_page_preferences() -> None:
    """The same list in two languages."""
    source = Path("src/outlay/web/static/js/navigate.js").read_text()
    (listed,) = re.findall(r"const CARRIED = \[(.*?)\];", source)

    assert frozenset(re.findall(r'"(\w+)"', listed)) == CARRIED

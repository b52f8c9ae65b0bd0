"""The intervals of limits."""

from datetime import UTC, date, datetime

import pytest

from outlay.domain.spend_limit import LimitInterval, window_of


@pytest.mark.parametrize(
    ("interval", "today", "first", "last"),
    [
        (LimitInterval.DAY, date(2026, 11, 21), date(2026, 11, 21), date(2026, 11, 21)),
        (LimitInterval.WEEK, date(2026, 11, 21), date(2026, 11, 16), date(2026, 11, 22)),
        (LimitInterval.WEEK, date(2026, 11, 16), date(2026, 11, 16), date(2026, 11, 22)),
        (LimitInterval.WEEK, date(2026, 11, 22), date(2026, 11, 16), date(2026, 11, 22)),
        (LimitInterval.MONTH, date(2026, 2, 1), date(2026, 2, 1), date(2026, 2, 28)),
        (LimitInterval.MONTH, date(2028, 2, 29), date(2028, 2, 1), date(2028, 2, 29)),
        (LimitInterval.MONTH, date(2026, 12, 31), date(2026, 12, 1), date(2026, 12, 31)),
    ],
)
def test_windows(interval: LimitInterval, today: date, first: date, last: date) -> None:
    window = window_of(interval, today, "America/New_York")
    assert (window.from_date, window.to_date) == (first, last)


def test_window_is_local_with_short_days() -> None:
    window = window_of(LimitInterval.DAY, date(2026, 3, 8), "America/New_York")
    assert window.start == datetime(2026, 3, 8, 5, tzinfo=UTC)
    assert window.end == datetime(2026, 3, 9, 4, tzinfo=UTC)

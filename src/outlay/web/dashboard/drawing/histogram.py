"""A thin histogram of a period, drawn by the server, whose bars link to their part of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from outlay.domain.period import BUCKETS_PER_HOUR, Period, Step, period_of_buckets
from outlay.web.dashboard.dates import describe_dates, describe_time

WIDTH = 1000
HEIGHT = 48
MAX_BARS = 120
"""If there are more steps, several share a bar."""
SHORTEST_DAY_BUCKETS = 23 * BUCKETS_PER_HOUR
"""The day on which clocks go forward has 23 hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One step, or several."""

    x: float
    width: float
    height: int
    failed_height: int
    title: str
    from_date: str
    to_date: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """All bars, in an area of WIDTH by HEIGHT."""

    bars: Sequence[Bar]
    width: int = WIDTH
    height: int = HEIGHT


def draw_histogram(
    steps: Sequence[Step], period: Period, values: Sequence[int], failed: Sequence[int]
) -> Histogram:
    """Bars of `values`, with the failed ones of each in another colour at the bottom."""
    share = max(1, -(-len(steps) // MAX_BARS))
    groups = [range(start, min(start + share, len(steps))) for start in range(0, len(steps), share)]
    sums = [(sum(values[i] for i in group), sum(failed[i] for i in group)) for group in groups]
    highest = max((total for total, _ in sums), default=0) or 1
    slot = WIDTH / max(1, len(groups))
    bars = []
    for number, (group, (total, errors)) in enumerate(zip(groups, sums, strict=True)):
        span = period_of_buckets(
            steps[group[0]].start_bucket, steps[group[-1]].end_bucket, period.timezone
        )
        is_part_of_a_day = (
            steps[group[-1]].end_bucket - steps[group[0]].start_bucket < SHORTEST_DAY_BUCKETS
        )
        label = (
            describe_time(steps[group[0]].start)
            if is_part_of_a_day
            else describe_dates(span, with_year=False)
        )
        bars.append(
            Bar(
                x=round(number * slot, 2),
                width=round(max(slot - 1.5, 0.8), 2),
                height=_height(total, highest),
                failed_height=_height(errors, highest),
                title=f"{label}: {total:,} request{'' if total == 1 else 's'}, {errors:,} failed",
                from_date=span.from_date.isoformat(),
                to_date=span.to_date.isoformat(),
            )
        )
    return Histogram(bars=bars)


def _height(value: int, highest: int) -> int:
    return max(1, HEIGHT * value // highest) if value else 0

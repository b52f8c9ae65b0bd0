"""Text summaries of charts for screen readers: total, highest and lowest value, change."""

from collections.abc import Callable, Sequence
from datetime import date

from outlay.domain.answers import Comparison
from outlay.domain.measure import Rank
from outlay.domain.period import Interval, Step
from outlay.web.dashboard.dates import describe_date, describe_dates
from outlay.web.dashboard.formatting import format_rank, format_signed_change
from outlay.web.dashboard.parts.frame import METRICS

Number = int | float


def _when(step: Step, interval: Interval) -> str:
    """The time of a step: `Nov 16, 2026`, `Nov 16, 2026, 14:00`, `the week of Nov 16, 2026`."""
    day = date.fromisoformat(step.label[:10])
    match interval:
        case Interval.HOUR:
            return f"{describe_date(day)}, {step.label[11:]}"
        case Interval.WEEK:
            return f"the week of {describe_date(day)}"
        case Interval.MONTH:
            return f"{day:%b %Y}"
        case _:
            return describe_date(day)


def describe_series(comparison: Comparison, interval: Interval, metric: Rank) -> str:
    """A metric of a chart over time, in words."""
    current = comparison.current
    total = current.total.rank_value(metric)
    if not total:
        return f"No {METRICS[metric].lower()} in this period."
    values = [current.at(index).rank_value(metric) for index in range(len(current.steps))]
    sentences = [f"Total {format_rank(total, metric)}."]
    if len(values) > 1:
        for word, value in (("Highest", max(values)), ("Lowest", _lowest(comparison, values))):
            when = _when(current.steps[values.index(value)], interval)
            sentences.append(f"{word} {format_rank(value, metric)}, {when}.")
    earlier = comparison.earlier_total.rank_value(metric)
    if earlier and comparison.has_growth:
        before = describe_dates(comparison.earlier_part)
        sentences.append(f"{format_signed_change(total, earlier)} against {before}.")
    return " ".join(sentences)


def _lowest(comparison: Comparison, values: Sequence[int]) -> int:
    """The lowest value of the completed steps; of all steps if none is completed."""
    end = comparison.elapsed.end_bucket
    steps = comparison.current.steps
    over = [value for value, step in zip(values, steps, strict=True) if step.end_bucket <= end]
    return min(over or values)


def describe_lines(
    lines: Sequence[tuple[str, Sequence[Number | None]]],
    steps: Sequence[Step],
    interval: Interval,
    render: Callable[[Number], str],
) -> str:
    """A line chart in words: its highest point, and where each line ends."""
    points = [
        (value, index, label)
        for label, values in lines
        for index, value in enumerate(values)
        if value is not None
    ]
    if not points:
        return "No values in this period."
    value, index, label = max(points, key=lambda point: point[0])
    ends = [
        f"{label} {render(last)}"
        for label, values in lines
        if (last := next((one for one in reversed(values) if one is not None), None)) is not None
    ]
    when = _when(steps[index], interval)
    return f"Highest {render(value)}, {label}, {when}. Latest: {', '.join(ends)}."

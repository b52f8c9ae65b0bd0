"""The step index of a bucket, as SQL. Edges are computed in Python, because engines do not know the
zones."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from outlay.domain.period import Interval, Period, steps_of

Quotient = Callable[[str, int], str]


class _Run(NamedTuple):
    """Consecutive steps of equal length."""

    start: int
    """Start bucket of the first step."""
    step: int
    """Index of the first step."""
    length: int
    """Buckets per step."""


def step_of(edges: Sequence[int], quotient: Quotient) -> str:
    """An expression over `usage.bucket`, for buckets inside the steps; `0` for a single step.

    `edges` are the start buckets of the steps and the end of the last one; `quotient` is the
    engine's integer division. Days and hours have equal lengths except where clocks change, so a
    division per range of equal steps replaces a join.
    """
    if len(edges) == 2:
        return "0"
    runs: list[_Run] = []
    for step, (start, end) in enumerate(pairwise(edges)):
        if not runs or end - start != runs[-1].length:
            runs.append(_Run(start, step, end - start))
    return f"CAST({_branch(runs, quotient)} AS SMALLINT)"


def _branch(runs: Sequence[_Run], quotient: Quotient) -> str:
    """A binary search for the range that a bucket is in, which needs few comparisons."""
    if len(runs) == 1:
        start, step, length = runs[0]
        return f"{step} + {quotient(f'usage.bucket - {start}', length)}"
    middle = len(runs) // 2
    before, after = _branch(runs[:middle], quotient), _branch(runs[middle:], quotient)
    return f"CASE WHEN usage.bucket < {runs[middle].start} THEN {before} ELSE {after} END"


def step_edges(period: Period, interval: Interval) -> tuple[int, ...]:
    """The start bucket of every step and the end of the last one; empty for no steps."""
    steps = steps_of(period, interval)
    if not steps:
        return ()
    return (*(step.start_bucket for step in steps), steps[-1].end_bucket)

"""The period of a log, divided into spans that are read one after the other."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from outlay.domain.period import Period, Step

PART_ROWS: Final = 25_000
"""Approximate number of rows per statement; a busy bucket may have more."""
GAP_ROWS: Final = 250
"""Gaps of up to this many rows are read along rather than skipped with another statement."""


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive buckets."""

    start: int
    end: int
    """Exclusive."""
    rows: int
    """All requests of the organization in it; 0 if not needed."""


def cut_spans(
    period: Period,
    matching: Sequence[int] | None,
    sizes: Mapping[int, int] | None,
    edges: Sequence[int],
) -> list[Span]:
    """The spans that may have matches, newest first.

    `matching` are the candidate buckets, newest first; None for all. `sizes` has the number of rows
    of each bucket, if all of them will be read: spans then have about PART_ROWS rows and include
    small gaps. No span crosses an edge.
    """
    if matching is None and sizes is None:
        return [Span(period.start_bucket, period.end_bucket, 0)]
    rows_between = _counter(sizes or {})
    spans: list[Span] = []
    for bucket in [*(sizes or {})] if matching is None else matching:
        last = spans[-1] if spans else Span(bucket + 1, bucket + 1, 0)
        rows = rows_between(bucket, last.end)
        gap = rows_between(bucket + 1, last.start)
        is_near = gap <= GAP_ROWS if sizes else bucket + 1 == last.start
        is_one = bisect_right(edges, bucket) == bisect_right(edges, last.end - 1)
        if spans and is_near and is_one and rows <= PART_ROWS:
            spans[-1] = Span(bucket, last.end, rows)
        else:
            spans.append(Span(bucket, bucket + 1, rows_between(bucket, bucket + 1)))
    return spans


def _counter(sizes: Mapping[int, int]) -> Callable[[int, int], int]:
    """A function that counts the rows in a range of buckets, the end exclusive."""
    buckets = sorted(sizes)
    sums = [0, *accumulate(sizes[bucket] for bucket in buckets)]
    return lambda start, end: sums[bisect_left(buckets, end)] - sums[bisect_left(buckets, start)]


def step_at(steps: Sequence[Step], span: Span) -> int:
    """The index of the step that contains a span."""
    return bisect_right(steps, span.start, key=lambda step: step.start_bucket) - 1

"""Which step a bucket lies in, as SQL: edges are computed in Python, no engine knows zones."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple


class _Run(NamedTuple):
    """Steps of one length that follow each other."""

    start: int
    """Start bucket of the first."""
    step: int
    """Index of the first."""
    length: int
    """Buckets per step."""


def step_of(marks: Sequence[int]) -> str:
    """An expression over `usage.bucket`, for buckets inside the steps; `0` for a single step.

    `marks` are the start buckets of the steps and the end of the last. Days and hours are of one
    length but where clocks change, so a division per run of them takes the place of a join.
    """
    if len(marks) == 2:
        return "0"
    runs: list[_Run] = []
    for step, (start, end) in enumerate(pairwise(marks)):
        if not runs or end - start != runs[-1].length:
            runs.append(_Run(start, step, end - start))
    return f"CAST({_branch(runs)} AS SMALLINT)"


def _branch(runs: Sequence[_Run]) -> str:
    """The halves of the runs, told apart again and again: as few comparisons as can be."""
    if len(runs) == 1:
        start, step, length = runs[0]
        return f"{step} + (usage.bucket - {start}) // {length}"
    middle = len(runs) // 2
    before, after = _branch(runs[:middle]), _branch(runs[middle:])
    return f"CASE WHEN usage.bucket < {runs[middle].start} THEN {before} ELSE {after} END"

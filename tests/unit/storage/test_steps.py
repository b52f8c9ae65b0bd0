"""The step index of a bucket for steps of any length, by the engine and by a plain search."""

from bisect import bisect_right
from itertools import accumulate

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from outlay.storage.cube.duckdb.dialect import DuckDBDialect
from outlay.storage.cube.steps import step_of


def placed(marks: list[int]) -> list[int]:
    """The step of every bucket between two edges, by the engine."""
    step = step_of(marks, DuckDBDialect(lambda column, value: 0).quotient)
    text = f"SELECT {step} FROM range({marks[0]}, {marks[-1]}) AS usage(bucket)"
    return [row[0] for row in duckdb.connect().execute(text).fetchall()]


@given(
    start=st.integers(0, 4_000_000),
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=40),
)
def test_bucket_belongs_to_the_last_step_before_it(start: int, lengths: list[int]) -> None:
    marks = list(accumulate(lengths, initial=start))

    expected = [bisect_right(marks, bucket) - 1 for bucket in range(marks[0], marks[-1])]

    assert placed(marks) == expected

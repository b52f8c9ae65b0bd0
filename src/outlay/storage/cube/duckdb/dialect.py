"""The DuckDB dialect."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from outlay.domain.fingerprint import HALF_BITS, HALF_MASK, WEIGHT_MASK
from outlay.storage.cube.duckdb.sources import source
from outlay.storage.cube.rollups import RollupSpec


class DuckDBDialect:
    """SQL fragments of DuckDB; its snapshots are transactions, so the fragments do not depend on
    them."""

    group_set = "group_set"
    tag_set = "tag_set"

    def __init__(self, code_of: Callable[[str, str], int]) -> None:
        """`code_of` returns the code of a text in a column."""
        self._code_of = code_of

    def sum(self, expression: str) -> str:
        """A 128-bit sum: DuckDB sums 64-bit integers as HUGEINT."""
        return f"sum({expression})"

    def select_sums(self, sums: Mapping[str, str]) -> str:
        """The sums of a row in 64 bits, and also in 128 bits if one of them needs it.

        The client reads 64-bit numbers from memory but 128-bit ones from text, which is six times
        slower.
        """
        narrow = [f"TRY_CAST({value} AS BIGINT)" for value in sums.values()]
        columns = [f"{value} AS {name}" for value, name in zip(narrow, sums, strict=True)]
        is_wide = " OR ".join(f"{value} IS NULL" for value in narrow)
        wide = f"CASE WHEN {is_wide} THEN [{', '.join(sums.values())}] END AS wide"
        return ", ".join([*columns, wide])

    def read_sums(self, values: tuple[Any, ...]) -> tuple[int, ...]:
        """The 64-bit sums, or the 128-bit ones if there are any."""
        return values[:-1] if values[-1] is None else tuple(values[-1])

    def quotient(self, value: str, divisor: int) -> str:
        """Division of non-negative integers, rounded down."""
        return f"({value}) // {divisor}"

    def as_text(self, value: str) -> str:
        """An integer as decimal digits."""
        return f"CAST({value} AS VARCHAR)"

    def weight(self, labels: Sequence[str]) -> str:
        """The weight of a cell."""
        text = f"concat_ws($separator, {', '.join(labels)}, $salt)"
        return f"CAST(md5_number_lower({text}) & {WEIGHT_MASK} AS BIGINT)"

    def weighted_sums(self, weight: str, measure: str) -> tuple[str, str]:
        """A measure times the lower and times the upper half of the weights."""
        return (
            f"sum(CAST({weight} & {HALF_MASK} AS HUGEINT) * {measure})",
            f"sum(CAST({weight} >> {HALF_BITS} AS HUGEINT) * {measure})",
        )

    def pairs(self, values: str, targets: str) -> str:
        """A subquery with the columns `value` and `target` over two lists of equal length."""
        return f"(SELECT unnest({values}) AS value, unnest({targets}) AS target)"

    def bound(self, column: str, value: str) -> str | int:
        """The code of a text: a constant, so that row groups can be skipped."""
        return self._code_of(column, value)

    def text(self, column: str, stored: str, alias: str) -> tuple[str, str]:
        """The text of a code, and the join with the dictionary that it needs."""
        return f"{alias}.value", (
            "\nJOIN (SELECT code, value FROM dictionary "  # noqa: S608 - constants
            f"WHERE dimension = '{column}') AS {alias} ON {alias}.code = {stored}"
        )

    def source(
        self,
        spec: RollupSpec,
        columns: Collection[str],
        measures: Sequence[str],
        edges: Sequence[int],
    ) -> str:
        """The rollup with the fewest rows that has all that is needed, plus what is not in it
        yet."""
        return source(spec, columns, measures, edges)

    def every(self, spec: RollupSpec, columns: Collection[str], measures: Sequence[str]) -> str:
        """The rollup itself."""
        return source(spec, columns, measures, ())

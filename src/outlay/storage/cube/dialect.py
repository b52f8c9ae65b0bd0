"""Parts of statements that differ between engines."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from outlay.storage.cube.rollups import RollupSpec


class Dialect(Protocol):
    """SQL fragments of an engine, for one snapshot."""

    @property
    def group_set(self) -> str:
        """The table, or subquery, with the groups of each stored set; every pair once."""
        ...

    @property
    def tag_set(self) -> str:
        """The table, or subquery, with the tags of each stored set; every pair once."""
        ...

    def sum(self, expression: str) -> str:
        """A sum in 128 bits."""
        ...

    def select_sums(self, sums: Mapping[str, str]) -> str:
        """The last columns of a statement: sums by name, in the form that is fastest to fetch."""
        ...

    def read_sums(self, values: tuple[Any, ...]) -> tuple[int, ...]:
        """The sums of a row that `select_sums` selected."""
        ...

    def quotient(self, value: str, divisor: int) -> str:
        """Division of non-negative integers, rounded down."""
        ...

    def as_text(self, value: str) -> str:
        """An integer as decimal digits."""
        ...

    def weight(self, labels: Sequence[str]) -> str:
        """The weight of a cell: `fingerprint.cell_weight` of its labels.

        The statement binds `separator`, which joins the labels, and `salt`, which follows them.
        """
        ...

    def weighted_sums(self, weight: str, measure: str) -> tuple[str, str]:
        """128-bit sums of a measure times the lower and times the upper half of the weights."""
        ...

    def pairs(self, values: str, targets: str) -> str:
        """A subquery with the columns `value` and `target` over two lists of equal length."""
        ...

    def bound(self, column: str, value: str) -> str | int:
        """The value to bind for a text that is compared with a dimension's stored column."""
        ...

    def text(self, column: str, stored: str, alias: str) -> tuple[str, str]:
        """The text of a dimension's stored value, and the join that it needs, under an alias."""
        ...

    def source(
        self,
        spec: RollupSpec,
        columns: Collection[str],
        measures: Sequence[str],
        edges: Sequence[int],
    ) -> str:
        """A subquery over some dimensions and measures of a rollup; it may read a smaller table.

        `edges` are the start buckets of the steps and the end of the last one.
        """
        ...

    def every(self, spec: RollupSpec, columns: Collection[str], measures: Sequence[str]) -> str:
        """Like `source`, with every bucket separate."""
        ...

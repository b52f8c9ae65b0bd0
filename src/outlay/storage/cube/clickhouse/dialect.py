"""The ClickHouse dialect for one snapshot.

ClickHouse has no transactions, so a snapshot is two ledger positions. Events up to the first one
are read from the folded rollup, those up to the second one from the deltas. Later rows are ignored,
even if they are already inserted.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outlay.domain.fingerprint import HALF_BITS, HALF_MASK, WEIGHT_MASK
from outlay.storage.cube.rollups import RollupSpec


@dataclass(frozen=True, slots=True)
class ClickHouseDialect:
    """SQL fragments of ClickHouse for a snapshot."""

    folded_seq: int
    loaded_seq: int
    group_set: str = "(SELECT DISTINCT groups, group_id FROM group_set)"
    tag_set: str = "(SELECT DISTINCT tags, key, value FROM tag_set)"

    def sum(self, expression: str) -> str:
        """A 128-bit sum: sums of 64-bit integers overflow silently."""
        return f"sum(toInt128({expression}))"

    def select_sums(self, sums: Mapping[str, str]) -> str:
        """The sums as they are."""
        return ", ".join(f"{value} AS {name}" for name, value in sums.items())

    def read_sums(self, values: tuple[Any, ...]) -> tuple[int, ...]:
        """The values as they are."""
        return values

    def quotient(self, value: str, divisor: int) -> str:
        """Division of non-negative integers, rounded down."""
        return f"intDiv({value}, {divisor})"

    def as_text(self, value: str) -> str:
        """An integer as decimal digits."""
        return f"toString({value})"

    def weight(self, labels: Sequence[str]) -> str:
        """The weight of a cell."""
        text = f"concatWithSeparator($separator, {', '.join(labels)}, $salt)"
        return f"bitAnd(reinterpretAsUInt64(substring(MD5({text}), 9, 8)), {WEIGHT_MASK})"

    def weighted_sums(self, weight: str, measure: str) -> tuple[str, str]:
        """A measure times the lower and times the upper half of the weights."""
        return (
            f"sum(toInt128(bitAnd({weight}, {HALF_MASK})) * {measure})",
            f"sum(toInt128(bitShiftRight({weight}, {HALF_BITS})) * {measure})",
        )

    def pairs(self, values: str, targets: str) -> str:
        """A subquery with the columns `value` and `target` over two lists of equal length."""
        return (
            "(SELECT pair.1 AS value, pair.2 AS target FROM "  # noqa: S608 - names of parameters
            f"(SELECT arrayJoin(arrayZip({values}, {targets})) AS pair))"
        )

    def bound(self, column: str, value: str) -> str | int:
        """The text itself: the engine encodes it."""
        return value

    def text(self, column: str, stored: str, alias: str) -> tuple[str, str]:
        """The stored value itself."""
        return stored, ""

    def source(
        self,
        spec: RollupSpec,
        columns: Collection[str],
        measures: Sequence[str],
        edges: Sequence[int],
    ) -> str:
        """The folded rows and the pending ones."""
        return self.every(spec, columns, measures)

    def every(self, spec: RollupSpec, columns: Collection[str], measures: Sequence[str]) -> str:
        """The folded rows and the pending ones."""
        wanted = [name for name in spec.dimensions if name in columns]
        names = ", ".join(dict.fromkeys(("organization_id", "bucket", *wanted, *measures)))
        rollup, delta = spec.tables
        return (
            f"SELECT {names} FROM {rollup} WHERE fold <= {self.folded_seq} "  # noqa: S608 - constants and integers
            f"UNION ALL SELECT {names} FROM {delta} "
            f"WHERE seq > {self.folded_seq} AND seq <= {self.loaded_seq}"
        )

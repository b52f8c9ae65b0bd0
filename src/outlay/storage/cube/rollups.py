"""One description of the rollups: it drives table definitions, loading, rebuild and verify."""

from dataclasses import dataclass
from typing import Final

from outlay.domain.measure import MEASURES, Unit


@dataclass(frozen=True, slots=True)
class RollupSpec:
    """A rollup table: measures summed over equal dimensions within a bucket.

    Every rollup has a `<name>_delta` twin for rows not yet folded in; a question reads both. The
    same cell may stand in several rows: rows add up.
    """

    name: str
    dimensions: tuple[str, ...]
    """Text columns, plus `bucket` and `latency_bin`, which are integers."""
    measures: tuple[str, ...]
    wide_measures: frozenset[str]
    """Measures whose sums may pass 2^63 and are kept in 128 bits."""

    @property
    def tables(self) -> tuple[str, str]:
        """The folded table and its delta twin."""
        return f"{self.name}_rollup", f"{self.name}_delta"

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns in table order."""
        return self.dimensions + self.measures

    def column_type(self, column: str) -> str:
        """The SQL type of a column."""
        if column in self.wide_measures:
            return "HUGEINT"
        if column in self.measures:
            return "BIGINT"
        if column == "latency_bin":
            return "SMALLINT"
        return "INTEGER" if column == "bucket" else "VARCHAR"


DIMENSIONS: Final = (
    "organization_id",
    "bucket",
    "project_id",
    "api_key_id",
    "member_id",
    "user_id",
    "groups",
    "end_user",
    "app",
    "provider",
    "mapping",
    "model",
    "status",
)

USAGE: Final = RollupSpec(
    name="usage",
    dimensions=DIMENSIONS,
    measures=tuple(measure.name for measure in MEASURES),
    wide_measures=frozenset(measure.name for measure in MEASURES if measure.unit is Unit.PUSD),
)

LATENCY: Final = RollupSpec(
    name="latency",
    dimensions=(*DIMENSIONS, "latency_bin"),
    measures=("requests",),
    wide_measures=frozenset(),
)

ROLLUPS: Final = (USAGE, LATENCY)

CUBE_SCHEMA_VERSION: Final = 1
"""Raised whenever tables change; a cube of another version is rebuilt from the ledger."""

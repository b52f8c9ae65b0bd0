"""One description of the rollups: it drives table definitions, loading, rebuild and verify."""

from dataclasses import dataclass
from typing import Final

from outlay.domain.measure import MEASURES


@dataclass(frozen=True, slots=True)
class RollupSpec:
    """A rollup table: measures summed over equal dimensions within a bucket.

    Every rollup has a `<name>_delta` twin for rows not yet folded in; a question reads both. The
    same cell may stand in several rows: rows add up, into 128 bits. A row holds 64, three times
    as fast to read, and a cell whose sums need more is kept in several rows.
    """

    name: str
    dimensions: tuple[str, ...]
    """Text columns, plus `bucket` and `latency_bin`, which are integers."""
    measures: tuple[str, ...]

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
)

LATENCY: Final = RollupSpec(
    name="latency",
    dimensions=(*DIMENSIONS, "latency_bin"),
    measures=("requests",),
)

ROLLUPS: Final = (USAGE, LATENCY)

MAX_MEASURE: Final = 2**63 - 1
"""The largest value of a measure in one row."""

CUBE_SCHEMA_VERSION: Final = 1
"""Raised whenever tables change; a cube of another version is rebuilt from the ledger."""

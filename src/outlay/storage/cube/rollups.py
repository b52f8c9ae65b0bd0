"""The rollups: one description for table definitions, loading, rebuild and verification."""

from dataclasses import dataclass
from typing import Final

from outlay.domain.measure import MEASURES


@dataclass(frozen=True, slots=True)
class RollupSpec:
    """A rollup table: measures summed over equal dimensions within a bucket.

    Every rollup has a `<name>_delta` twin for rows that are not folded yet; statements read both. A
    cell may have several rows, which are summed in 128 bits. A row has 64-bit values, which are
    three times as fast to read; a cell whose sums are larger has several rows.
    """

    name: str
    dimensions: tuple[str, ...]
    """Text columns, plus `bucket`, `second` and `latency_bin`, which are integers."""
    measures: tuple[str, ...]
    uncoded: tuple[str, ...] = ()
    """Texts without a dictionary, because they have too many values."""

    @property
    def tables(self) -> tuple[str, str]:
        """The main table and its delta twin."""
        return f"{self.name}_rollup", f"{self.name}_delta"

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns in table order."""
        return self.dimensions + self.measures

    @property
    def texts(self) -> tuple[str, ...]:
        """The dimensions that are text."""
        return tuple(name for name in self.dimensions if self.column_type(name) == "VARCHAR")

    @property
    def coded(self) -> tuple[str, ...]:
        """Those of them that an engine may store as dictionary codes."""
        return tuple(name for name in self.texts if name not in self.uncoded)

    @property
    def integers(self) -> tuple[str, ...]:
        """The dimensions that are not text."""
        return tuple(name for name in self.dimensions if name not in self.texts)

    @property
    def order(self) -> tuple[str, ...]:
        """The order of the rows of a closed month: those of one key, user or project are adjacent.

        A question about a few of them skips the others; a question about all of them reads
        everything in any order.
        """
        narrowing = [
            name for name in ("api_key_id", "user_id", "project_id") if name in self.dimensions
        ]
        return ("organization_id", *narrowing[:1], "bucket")

    def column_type(self, column: str) -> str:
        """The SQL type of a column."""
        if column in self.measures:
            return "BIGINT"
        if column in {"latency_bin", "second"}:
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
    "tags",
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

COMPARED: Final = (
    "reported_cost_pusd",
    "computed_beside_pusd",
    "uncompared_cost_pusd",
    "reported_cost_requests",
    "uncompared_requests",
)
"""Measures that compare reported with computed costs."""

METERS: Final = RollupSpec(
    name="meters",
    dimensions=(*DIMENSIONS, "meter"),
    measures=("requests", "quantity", "cost_pusd", *COMPARED),
)
"""Billed quantities other than tokens: a row for each meter of an event. Quantities and costs are
disjoint; requests and reported costs count in the row of every meter of an event."""

SESSIONS: Final = RollupSpec(
    name="sessions",
    dimensions=(*DIMENSIONS, "session_id", "second"),
    measures=("requests", "input_tokens", "output_tokens", "cost_pusd", "errors", "client_errors"),
    uncoded=("session_id",),
)
"""Requests of sessions by second, so that the first and last request stay known if others are
voided."""

ROLLUPS: Final = (USAGE, LATENCY, METERS, SESSIONS)


@dataclass(frozen=True, slots=True)
class NarrowSpec:
    """A rollup of a rollup: fewer dimensions and longer cells, so there are fewer rows to read.

    It has exactly the folded rows of its source. A statement that needs no other dimension reads
    whole cells from it, and the cells that the period cuts from the source.
    """

    shape: RollupSpec
    source: RollupSpec
    grain: int
    """Buckets per cell; cells begin at multiples of it."""

    @property
    def table(self) -> str:
        """The name of its only table."""
        return self.shape.tables[0]


def _narrow(name: str, source: RollupSpec, grain: int, *dimensions: str) -> NarrowSpec:
    shape = RollupSpec(
        name=f"{source.name}_{name}",
        dimensions=("organization_id", "bucket", *dimensions),
        measures=source.measures,
    )
    return NarrowSpec(shape, source, grain)


HOUR: Final = 4
DAY: Final = 96

NARROWS: Final = (
    _narrow("whole", USAGE, HOUR),
    _narrow("status", USAGE, HOUR, "status"),
    _narrow("app", USAGE, HOUR, "app"),
    _narrow("route", USAGE, HOUR, "provider", "mapping", "model"),
    _narrow("project", USAGE, HOUR, "project_id"),
    _narrow("member", USAGE, HOUR, "member_id"),
    _narrow("people", USAGE, HOUR, "user_id", "groups"),
    _narrow("key", USAGE, HOUR, "project_id", "api_key_id", "member_id"),
    _narrow("work", USAGE, HOUR, "project_id", "provider", "mapping", "model"),
    _narrow("whole", METERS, HOUR, "meter"),
    _narrow("route", METERS, HOUR, "provider", "mapping", "model", "meter"),
    _narrow("whole", LATENCY, DAY, "latency_bin"),
    _narrow("route", LATENCY, DAY, "provider", "mapping", "model", "latency_bin"),
)
"""From the fewest rows to the most: the first one that has all dimensions is used."""

MAX_MEASURE: Final = 2**63 - 1
"""The largest value of a measure in one row."""

CUBE_SCHEMA_VERSION: Final = 5
"""To be raised when tables change, or what a measure counts.

A cube of another version is rebuilt from the ledger.
"""

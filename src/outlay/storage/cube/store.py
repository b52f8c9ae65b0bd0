"""What every columnar engine must do for the cube."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from outlay.domain.dimension import Grouping
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged
from outlay.domain.ids import OrganizationId
from outlay.domain.query import RowQuery, UsageQuery
from outlay.domain.result import Totals
from outlay.domain.session import SessionPart, SessionQuery, SessionSums, SessionTotals
from outlay.storage.cube.aggregation import Deltas, Key
from outlay.storage.cube.rollups import RollupSpec


class CubeMismatch(Damaged):
    """What is there is not a cube of this ledger and version: it has to be rebuilt."""

    default_code = ErrorCode.CUBE_MISMATCH


class BreakdownRow(NamedTuple):
    """One group in one step."""

    step: int
    kind: str
    key: str
    """Empty for Other and Unattributed."""
    others: int
    """How many values Other stands for, in every row."""
    measures: Totals


class NestedRow(NamedTuple):
    """One value of a second dimension within one group of the first, in one step."""

    kind: str
    key: str
    """Of the first dimension; empty for Other and Unattributed."""
    part: BreakdownRow


class Row(NamedTuple):
    """One combination of dimension values in one step."""

    step: int
    keys: tuple[str, ...]
    """One per dimension; empty where an event has no value."""
    measures: Totals


class MeterSums(NamedTuple):
    """How much of a meter was used in one step."""

    step: int
    meter: str
    requests: int
    quantity: int
    cost_pusd: int
    reported_cost_pusd: int
    computed_beside_pusd: int
    uncompared_cost_pusd: int
    reported_cost_requests: int
    uncompared_requests: int


class CellSums(NamedTuple):
    """Sums over cells of a rollup of one organization and day."""

    organization_id: OrganizationId
    day: int
    """Since the epoch, UTC."""
    part: int
    """The latency bin; of rollups without, how many more groups than one these cells count in."""
    cells: int
    """How many rows."""
    plain: tuple[int, ...]
    """One per measure of the rollup."""
    weighted: tuple[int, ...]
    """The same, each cell times its weight (`domain.fingerprint`)."""


class CubeReader(Protocol):
    """One consistent snapshot of the cube."""

    def loaded_seq(self) -> int:
        """The ledger position this snapshot covers."""
        ...

    def totals(self, query: UsageQuery) -> dict[int, Totals]:
        """Measures per step index, each event once; steps without usage are absent."""
        ...

    def breakdown(self, query: UsageQuery) -> list[BreakdownRow]:
        """Measures per step index and group, the top kept and the rest as `other`."""
        ...

    def nested(self, query: UsageQuery, named: tuple[str, ...]) -> list[NestedRow]:
        """The second level under the `named` values of the first; the others are one together."""
        ...

    def rows(self, query: RowQuery) -> Iterator[Row]:
        """Every combination of dimension values per step, in that order."""
        ...

    def distinct(
        self, query: UsageQuery, dimensions: tuple[Grouping, ...]
    ) -> dict[int, tuple[int, ...]]:
        """How many values of each dimension had usage, per step; steps without are absent."""
        ...

    def meters(self, query: UsageQuery) -> list[MeterSums]:
        """How much of each meter was used per step, and what it cost."""
        ...

    def buckets(self, query: UsageQuery) -> list[tuple[int, int]]:
        """The buckets in which something matches, newest first, with their requests."""
        ...

    def latency_bins(self, query: UsageQuery) -> dict[int, int]:
        """Requests per latency bin."""
        ...

    def latency_steps(self, query: UsageQuery) -> dict[int, dict[int, int]]:
        """Requests per latency bin of each step index; steps without are absent."""
        ...

    def latency_by(self, query: UsageQuery, dimension: Grouping) -> dict[str, dict[int, int]]:
        """Requests per latency bin of each value of a dimension; empty without one."""
        ...

    def sessions(self, query: SessionQuery) -> list[SessionSums]:
        """A page of sessions, in the order asked for."""
        ...

    def session_totals(self, query: SessionQuery) -> SessionTotals:
        """How many sessions a question is about, and what they come to."""
        ...

    def session_parts(self, query: SessionQuery) -> list[SessionPart]:
        """Which models, projects, keys, users and apps sessions have."""
        ...

    def session_buckets(self, query: SessionQuery) -> list[tuple[int, int]]:
        """The buckets in which sessions had requests, newest first, and how many."""
        ...

    def cells(
        self, spec: RollupSpec, organization_id: str, start: int, end: int
    ) -> Iterator[tuple[Key, tuple[int, ...]]]:
        """Every cell of a rollup in buckets [start, end)."""
        ...

    def slices(self, spec: RollupSpec, buckets: int) -> list[int]:
        """In which runs of so many buckets a rollup has rows, by their number since the epoch."""
        ...

    def fingerprints(self, spec: RollupSpec, salt: str, start: int, end: int) -> list[CellSums]:
        """Sums over the cells in buckets [start, end), plain and weighted, by organization."""
        ...

    def narrow_differences(self) -> dict[str, int]:
        """Per narrow rollup, in how many cells it differs from what it is made of."""
        ...

    def row_counts(self) -> dict[str, int]:
        """Rows per table, for `doctor`."""
        ...


class Cube(Protocol):
    """The derived rollups: written by one thread, read by many, recreated at any time."""

    edition: str
    """The edition of the ledger that it was made of."""

    def read(self) -> AbstractContextManager[CubeReader]:
        """A snapshot."""
        ...

    def plan(self, from_seq: int, through_seq: int) -> int:
        """Where a load from a position is to end: there, or where an earlier attempt was to."""
        ...

    def load(self, deltas: Deltas, *, from_seq: int, through_seq: int) -> None:
        """Add the cells of events (from_seq, through_seq] and move the position, atomically."""
        ...

    def fold(self) -> None:
        """Move pending rows into the rollups."""
        ...

    def compact_one(self, before_bucket: int) -> bool:
        """Rewrite one changed month that ended before a bucket; whether there was one."""
        ...

    def close(self) -> None:
        """Release the files."""
        ...


class CubeHome(Protocol):
    """Where the cube of an installation stands, and room for a fresh one beside it."""

    @property
    def is_shared(self) -> bool:
        """Whether other nodes read and write the cube, too; one of them at a time loads it."""
        ...

    def open(self, edition: str) -> Cube:
        """The present cube, made if there is none.

        Raises CubeMismatch when it is of no use: damaged, of another version or, unless it is
        shared, of another edition.
        """
        ...

    def is_present(self, cube: Cube) -> bool:
        """Whether a cube has not been replaced, by whichever node."""
        ...

    def fresh(self, edition: str) -> Cube:
        """An empty cube beside the present one."""
        ...

    def install(self, fresh: Cube, present: Cube) -> Cube:
        """Put the fresh cube in the place of the present one, which nobody reads any more."""
        ...

    def discard(self) -> None:
        """Remove a fresh cube that did not get so far."""
        ...

    def drop_replaced(self) -> None:
        """Remove what was replaced so long ago that nobody reads it any more."""
        ...

    def clear(self) -> None:
        """Remove the present cube: the ledger can always make another."""
        ...

    def describe(self) -> str:
        """The engine and its version."""
        ...

    def close(self) -> None:
        """Release what is kept open beside the cubes."""
        ...

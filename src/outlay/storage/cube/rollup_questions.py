"""Questions about the rollups themselves, for verification and `outlay doctor`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from outlay.domain.ids import OrganizationId
from outlay.domain.questions import Question
from outlay.storage.cube.aggregation import Key
from outlay.storage.cube.rollups import RollupSpec


class CellSums(NamedTuple):
    """Sums over cells of a rollup of one organization and day."""

    organization_id: OrganizationId
    day: int
    """Since the epoch, UTC."""
    part: int
    """The latency bin. In rollups without one: the number of groups of these cells, minus one."""
    cells: int
    """The number of rows."""
    plain: tuple[int, ...]
    """One per measure of the rollup."""
    weighted: tuple[int, ...]
    """The same, each cell times its weight (`domain.fingerprint`)."""


@dataclass(frozen=True, slots=True)
class Cells(Question[Iterable[tuple[Key, tuple[int, ...]]]]):
    """Every cell of a rollup that an organization has in the buckets [start, end)."""

    spec: RollupSpec
    organization_id: OrganizationId
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Slices(Question[Sequence[int]]):
    """The ranges of `buckets` buckets in which a rollup has rows, by their number since the
    epoch."""

    spec: RollupSpec
    buckets: int


@dataclass(frozen=True, slots=True)
class Fingerprints(Question[Sequence[CellSums]]):
    """Sums over the cells in the buckets [start, end), plain and weighted, by organization."""

    spec: RollupSpec
    salt: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class NarrowDifferences(Question[Mapping[str, int]]):
    """The number of cells in which each narrow rollup differs from its source."""


@dataclass(frozen=True, slots=True)
class RowCounts(Question[Mapping[str, int]]):
    """Rows by table."""

"""A snapshot whose answers take merged values of the directory for the one that they count as."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from outlay.domain.dimension import Grouping
from outlay.domain.discovery import Merges
from outlay.domain.ids import OrganizationId
from outlay.domain.query import RowQuery, UsageQuery
from outlay.domain.result import Totals
from outlay.domain.session import SessionPart, SessionQuery, SessionSums, SessionTotals
from outlay.storage.cube.aggregation import Key
from outlay.storage.cube.rollups import RollupSpec
from outlay.storage.cube.store import BreakdownRow, CellSums, CubeReader, MeterSums, NestedRow, Row

Question = TypeVar("Question", UsageQuery, RowQuery)


class MergingReader:
    """Asks every question with the merges of its organization."""

    def __init__(self, reader: CubeReader, merges_of: Callable[[OrganizationId], Merges]) -> None:
        self._reader = reader
        self._merges_of = merges_of

    def _merged(self, query: Question) -> Question:
        merges = self._merges_of(query.organization_id)
        return query if query.merges == merges else replace(query, merges=merges)

    def _merged_sessions(self, query: SessionQuery) -> SessionQuery:
        return replace(query, usage=self._merged(query.usage))

    def loaded_seq(self) -> int:
        """The ledger position this snapshot covers."""
        return self._reader.loaded_seq()

    def totals(self, query: UsageQuery) -> dict[int, Totals]:
        """Measures per step index, each event once; steps without usage are absent."""
        return self._reader.totals(self._merged(query))

    def breakdown(self, query: UsageQuery) -> list[BreakdownRow]:
        """Measures per step index and group, the top kept and the rest as `other`."""
        return self._reader.breakdown(self._merged(query))

    def nested(self, query: UsageQuery, named: tuple[str, ...]) -> list[NestedRow]:
        """The second level under the `named` values of the first; the others are one together."""
        return self._reader.nested(self._merged(query), named)

    def rows(self, query: RowQuery) -> Iterator[Row]:
        """Every combination of dimension values per step, in that order."""
        return self._reader.rows(self._merged(query))

    def distinct(
        self, query: UsageQuery, dimensions: tuple[Grouping, ...]
    ) -> dict[int, tuple[int, ...]]:
        """How many values of each dimension had usage, per step; steps without are absent."""
        return self._reader.distinct(self._merged(query), dimensions)

    def meters(self, query: UsageQuery) -> list[MeterSums]:
        """How much of each meter was used per step, and what it cost."""
        return self._reader.meters(self._merged(query))

    def buckets(self, query: UsageQuery) -> list[tuple[int, int]]:
        """The buckets in which something matches, newest first, with their requests."""
        return self._reader.buckets(self._merged(query))

    def latency_bins(self, query: UsageQuery) -> dict[int, int]:
        """Requests per latency bin."""
        return self._reader.latency_bins(self._merged(query))

    def latency_steps(self, query: UsageQuery) -> dict[int, dict[int, int]]:
        """Requests per latency bin of each step index; steps without are absent."""
        return self._reader.latency_steps(self._merged(query))

    def latency_by(self, query: UsageQuery, dimension: Grouping) -> dict[str, dict[int, int]]:
        """Requests per latency bin of each value of a dimension; empty without one."""
        return self._reader.latency_by(self._merged(query), dimension)

    def sessions(self, query: SessionQuery) -> list[SessionSums]:
        """A page of sessions, in the order asked for."""
        return self._reader.sessions(self._merged_sessions(query))

    def session_totals(self, query: SessionQuery) -> SessionTotals:
        """How many sessions a question is about, and what they come to."""
        return self._reader.session_totals(self._merged_sessions(query))

    def session_parts(self, query: SessionQuery) -> list[SessionPart]:
        """Which models, projects, keys, users and apps sessions have."""
        return self._reader.session_parts(self._merged_sessions(query))

    def session_buckets(self, query: SessionQuery) -> list[tuple[int, int]]:
        """The buckets in which sessions had requests, newest first, and how many."""
        return self._reader.session_buckets(self._merged_sessions(query))

    def cells(
        self, spec: RollupSpec, organization_id: str, start: int, end: int
    ) -> Iterator[tuple[Key, tuple[int, ...]]]:
        """Every cell of a rollup in buckets [start, end), as it stands."""
        return self._reader.cells(spec, organization_id, start, end)

    def slices(self, spec: RollupSpec, buckets: int) -> list[int]:
        """In which runs of so many buckets a rollup has rows, by their number since the epoch."""
        return self._reader.slices(spec, buckets)

    def fingerprints(self, spec: RollupSpec, salt: str, start: int, end: int) -> list[CellSums]:
        """Sums over the cells in buckets [start, end), plain and weighted, by organization."""
        return self._reader.fingerprints(spec, salt, start, end)

    def narrow_differences(self) -> dict[str, int]:
        """Per narrow rollup, in how many cells it differs from what it is made of."""
        return self._reader.narrow_differences()

    def row_counts(self) -> dict[str, int]:
        """Rows per table, for `doctor`."""
        return self._reader.row_counts()

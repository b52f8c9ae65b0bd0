"""Questions to a cube that answers in SQL: the same on every engine but for its dialect."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import itemgetter
from typing import Any, Final

from outlay.domain.answers import Totals
from outlay.domain.dimension import Grouping
from outlay.domain.fingerprint import HALF_BITS, SEPARATOR
from outlay.domain.query import RowQuery, UsageQuery
from outlay.domain.session import (
    SHOWN_OF,
    SessionMeasures,
    SessionPart,
    SessionQuery,
    SessionSums,
    SessionTotals,
)
from outlay.storage.cube.aggregation import Key
from outlay.storage.cube.dialect import Dialect
from outlay.storage.cube.fragments import Parameters
from outlay.storage.cube.questions import Questions
from outlay.storage.cube.rollups import RollupSpec
from outlay.storage.cube.session_questions import SessionQuestions
from outlay.storage.cube.steps import step_marks
from outlay.storage.cube.store import BreakdownRow, CellSums, MeterSums, NestedRow, Row

_FIRST_MEASURE: Final = 4
"""Position of the first measure in a breakdown row, after step, kind, key and others."""


class SqlReader(ABC):
    """One consistent snapshot of the cube, asked in SQL."""

    def __init__(self, dialect: Dialect) -> None:
        self._questions = Questions(dialect)
        self._sessions = SessionQuestions(dialect)
        self._read_sums = dialect.read_sums

    @abstractmethod
    def _ask(self, text: str, parameters: Parameters) -> list[Any]:
        """The rows that a statement finds."""

    @abstractmethod
    def _stream(self, text: str, parameters: Parameters) -> Iterator[Any]:
        """The rows of a statement that may find more than memory holds."""

    def _present(self, query: UsageQuery | RowQuery) -> tuple[str, ...]:
        """The measures of a question that can be anything but zero."""
        return query.measures

    def totals(self, query: UsageQuery) -> dict[int, Totals]:
        """Measures per step index, each event once; steps without usage are absent."""
        marks = step_marks(query.period, query.interval)
        if not marks:
            return {}
        text, parameters = self._questions.totals(query, marks)
        make = self._totals_maker(query.measures)
        rows = self._ask(text, parameters)
        return {row[0]: make(row[1:]) for row in rows}

    def breakdown(self, query: UsageQuery) -> list[BreakdownRow]:
        """Measures per step index and group, the top kept and the rest as `other`."""
        marks = step_marks(query.period, query.interval)
        if not marks:
            return []
        text, parameters = self._questions.breakdown(query, marks)
        make = self._totals_maker(query.measures)
        return [
            BreakdownRow(row[0], row[1], row[2], row[3], make(row[_FIRST_MEASURE:]))
            for row in self._ask(text, parameters)
        ]

    def latency_bins(self, query: UsageQuery) -> dict[int, int]:
        """Requests per latency bin."""
        text, parameters = self._questions.latency_bins(query)
        return dict(self._ask(text, parameters))

    def latency_steps(self, query: UsageQuery) -> dict[int, dict[int, int]]:
        """Requests per latency bin of each step index; steps without are absent."""
        marks = step_marks(query.period, query.interval)
        if not marks:
            return {}
        text, parameters = self._questions.latency_steps(query, marks)
        bins: dict[int, dict[int, int]] = {}
        for step, latency_bin, requests in self._ask(text, parameters):
            bins.setdefault(step, {})[latency_bin] = requests
        return bins

    def latency_by(self, query: UsageQuery, dimension: Grouping) -> dict[str, dict[int, int]]:
        """Requests per latency bin of each value of a dimension; empty without one."""
        text, parameters = self._questions.latency_by(query, dimension)
        bins: dict[str, dict[int, int]] = {}
        for value, latency_bin, requests in self._ask(text, parameters):
            bins.setdefault(value, {})[latency_bin] = requests
        return bins

    def nested(self, query: UsageQuery, named: tuple[str, ...]) -> list[NestedRow]:
        """The second level under the `named` values of the first; the others are one together."""
        marks = step_marks(query.period, query.interval)
        if not marks:
            return []
        measures = self._present(query)
        text, parameters = self._questions.nested(query, marks, named, measures)
        make = self._totals_maker(measures)
        return [
            NestedRow(row[1], row[2], BreakdownRow(row[0], row[3], row[4], row[5], make(row[6:])))
            for row in self._ask(text, parameters)
        ]

    def rows(self, query: RowQuery) -> Iterator[Row]:
        """Every combination of dimension values per step, in that order."""
        marks = step_marks(query.period, query.interval)
        if not marks:
            return
        if len(query.group_by) > 1:
            query = replace(query, measures=self._present(query))
        text, parameters = self._questions.rows(query, marks)
        make = self._totals_maker(query.measures)
        width = 1 + len(query.group_by)
        for row in self._stream(text, parameters):
            yield Row(row[0], row[1:width], make(row[width:]))

    def distinct(
        self, query: UsageQuery, dimensions: tuple[Grouping, ...]
    ) -> dict[int, tuple[int, ...]]:
        """How many values of each dimension had usage, per step; steps without are absent."""
        marks = step_marks(query.period, query.interval)
        if not marks:
            return {}
        found: dict[int, list[int]] = {}
        for index, dimension in enumerate(dimensions):
            text, parameters = self._questions.distinct(query, marks, dimension)
            for step, count in self._ask(text, parameters):
                found.setdefault(step, [0] * len(dimensions))[index] = count
        return {step: tuple(counts) for step, counts in found.items()}

    def meters(self, query: UsageQuery) -> list[MeterSums]:
        """How much of each meter was used per step, and what it cost."""
        marks = step_marks(query.period, query.interval)
        if not marks:
            return []
        text, parameters = self._questions.meters(query, marks)
        return [
            MeterSums(row[0], row[1], *self._read_sums(row[2:]))
            for row in self._ask(text, parameters)
        ]

    def buckets(self, query: UsageQuery) -> list[tuple[int, int]]:
        """The buckets in which something matches, newest first, with their requests."""
        text, parameters = self._questions.buckets(query)
        return list(self._ask(text, parameters))

    def sessions(self, query: SessionQuery) -> list[SessionSums]:
        """A page of sessions, in the order asked for."""
        return [
            SessionSums(row[0], row[1], row[2], SessionMeasures._make(self._read_sums(row[3:])))
            for row in self._ask(*self._sessions.page(query))
        ]

    def session_totals(self, query: SessionQuery) -> SessionTotals:
        """How many sessions a question is about, and what they come to."""
        (row,) = self._ask(*self._sessions.totals(query))
        sums = [int(value or 0) for value in self._read_sums(row[1:])]
        return SessionTotals(row[0], SessionMeasures._make(sums))

    def session_parts(self, query: SessionQuery) -> list[SessionPart]:
        """Which models, projects, keys, users and apps sessions have."""
        width = 1 + len(SHOWN_OF)
        return [
            SessionPart(row[0], tuple(row[1:width]), self._read_sums(row[width:])[1])
            for row in self._ask(*self._sessions.parts(query))
        ]

    def session_buckets(self, query: SessionQuery) -> list[tuple[int, int]]:
        """The buckets in which sessions had requests, newest first, and how many."""
        return list(self._ask(*self._sessions.buckets(query)))

    def cells(
        self, spec: RollupSpec, organization_id: str, start: int, end: int
    ) -> Iterator[tuple[Key, tuple[int, ...]]]:
        """Every cell of a rollup in buckets [start, end)."""
        organization = self._questions.organization(organization_id)
        window: Parameters = {"organization_id": organization, "start": start, "end": end}
        width = len(spec.dimensions)
        for row in self._stream(self._questions.cells(spec), window):
            yield row[:width], self._read_sums(row[width:])

    def slices(self, spec: RollupSpec, buckets: int) -> list[int]:
        """In which runs of so many buckets a rollup has rows, by their number since the epoch."""
        return [int(row[0]) for row in self._ask(self._questions.slices(spec, buckets), {})]

    def fingerprints(self, spec: RollupSpec, salt: str, start: int, end: int) -> list[CellSums]:
        """Sums over the cells in buckets [start, end), plain and weighted, by organization."""
        values: Parameters = {"separator": SEPARATOR, "salt": salt, "start": start, "end": end}
        found = []
        for organization_id, day, part, cells, *sums in self._ask(
            self._questions.fingerprints(spec), values
        ):
            lower, upper = sums[1::3], sums[2::3]
            weighted = tuple(
                int(low) + (int(high) << HALF_BITS) for low, high in zip(lower, upper, strict=True)
            )
            plain = tuple(map(int, sums[::3]))
            found.append(CellSums(organization_id, day, part, cells, plain, weighted))
        return found

    def _totals_maker(self, measures: tuple[str, ...]) -> Callable[[tuple[int, ...]], Totals]:
        """What turns the last values of a row, sums of some measures, into Totals."""
        read = self._read_sums
        if measures == Totals._fields:
            return lambda values: Totals._make(read(values))
        places = {name: place for place, name in enumerate(measures)}
        arranged = itemgetter(*(places.get(name, len(places)) for name in Totals._fields))
        return lambda values: Totals._make(arranged((*read(values), 0)))

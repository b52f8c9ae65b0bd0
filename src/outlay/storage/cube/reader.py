"""Answering questions with SQL: the statements differ between engines only by their dialect."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import singledispatchmethod
from operator import itemgetter
from typing import Any, Final, TypeVar

from outlay.domain.answers import (
    BreakdownRow,
    MeterSums,
    NestedRow,
    Row,
    SessionMeasures,
    SessionPart,
    SessionSums,
    SessionTotals,
    Totals,
)
from outlay.domain.fingerprint import HALF_BITS, SEPARATOR
from outlay.domain.query import RowQuery, UsageQuery
from outlay.domain.questions import (
    Buckets,
    DistinctCounts,
    Groups,
    LatencyBins,
    LatencyByStep,
    LatencyByValue,
    MeterUsage,
    NestedGroups,
    Question,
    Rows,
    SessionBuckets,
    SessionList,
    SessionParts,
    SessionSummary,
    StepTotals,
)
from outlay.domain.session import SHOWN_OF
from outlay.storage.cube.aggregation import Key
from outlay.storage.cube.dialect import Dialect
from outlay.storage.cube.fragments import Parameters
from outlay.storage.cube.rollup_questions import (
    Cells,
    CellSums,
    Fingerprints,
    NarrowDifferences,
    RowCounts,
    Slices,
)
from outlay.storage.cube.rollup_statements import RollupStatements
from outlay.storage.cube.session_statements import SessionStatements
from outlay.storage.cube.steps import step_edges
from outlay.storage.cube.usage_statements import UsageStatements

_FIRST_MEASURE: Final = 4
"""Position of the first measure in a breakdown row, after step, kind, key and others."""

A = TypeVar("A")


class SqlReader(ABC):
    """One consistent snapshot of the cube, read with SQL."""

    def __init__(self, dialect: Dialect, loaded_seq: int) -> None:
        self._usage = UsageStatements(dialect)
        self._sessions = SessionStatements(dialect)
        self._rollups = RollupStatements(dialect)
        self._read_sums = dialect.read_sums
        self.loaded_seq = loaded_seq

    def ask(self, question: Question[A]) -> A:
        """The answer to a question."""
        answer: A = self._answer(question)
        return answer

    @singledispatchmethod
    def _answer(self, question: Question[Any]) -> Any:
        raise TypeError(f"the cube does not answer a {type(question).__name__}")

    @abstractmethod
    def _fetch(self, text: str, parameters: Parameters) -> list[Any]:
        """The rows of a statement."""

    @abstractmethod
    def _stream(self, text: str, parameters: Parameters) -> Iterator[Any]:
        """The rows of a statement, streamed because they may not fit into memory."""

    @abstractmethod
    def _narrow_differences(self) -> Mapping[str, int]:
        """The number of cells in which each narrow rollup differs from its source."""

    @abstractmethod
    def _row_counts(self) -> Mapping[str, int]:
        """Rows by table."""

    def _present(self, query: UsageQuery | RowQuery) -> tuple[str, ...]:
        """The measures of a query that may be non-zero."""
        return query.measures

    # Usage

    @_answer.register
    def _step_totals(self, question: StepTotals) -> Mapping[int, Totals]:
        query = question.query
        edges = step_edges(query.period, query.interval)
        if not edges:
            return {}
        text, parameters = self._usage.totals(query, edges)
        make = self._totals_maker(query.measures)
        return {row[0]: make(row[1:]) for row in self._fetch(text, parameters)}

    @_answer.register
    def _groups(self, question: Groups) -> Sequence[BreakdownRow]:
        query = question.query
        edges = step_edges(query.period, query.interval)
        if not edges:
            return []
        text, parameters = self._usage.groups(query, edges)
        make = self._totals_maker(query.measures)
        return [
            BreakdownRow(row[0], row[1], row[2], row[3], make(row[_FIRST_MEASURE:]))
            for row in self._fetch(text, parameters)
        ]

    @_answer.register
    def _nested_groups(self, question: NestedGroups) -> Sequence[NestedRow]:
        query = question.query
        edges = step_edges(query.period, query.interval)
        if not edges:
            return []
        measures = self._present(query)
        text, parameters = self._usage.nested_groups(query, edges, question.named, measures)
        make = self._totals_maker(measures)
        return [
            NestedRow(row[1], row[2], BreakdownRow(row[0], row[3], row[4], row[5], make(row[6:])))
            for row in self._fetch(text, parameters)
        ]

    @_answer.register
    def _rows(self, question: Rows) -> Iterable[Row]:
        query = question.query
        edges = step_edges(query.period, query.interval)
        if not edges:
            return
        if len(query.group_by) > 1:
            query = replace(query, measures=self._present(query))
        text, parameters = self._usage.rows(query, edges)
        make = self._totals_maker(query.measures)
        width = 1 + len(query.group_by)
        for row in self._stream(text, parameters):
            yield Row(row[0], row[1:width], make(row[width:]))

    @_answer.register
    def _distinct_counts(self, question: DistinctCounts) -> Mapping[int, tuple[int, ...]]:
        query, dimensions = question.query, question.dimensions
        edges = step_edges(query.period, query.interval)
        if not edges:
            return {}
        found: dict[int, list[int]] = {}
        for index, dimension in enumerate(dimensions):
            text, parameters = self._usage.distinct_values(query, edges, dimension)
            for step, count in self._fetch(text, parameters):
                found.setdefault(step, [0] * len(dimensions))[index] = count
        return {step: tuple(counts) for step, counts in found.items()}

    @_answer.register
    def _meter_usage(self, question: MeterUsage) -> Sequence[MeterSums]:
        query = question.query
        edges = step_edges(query.period, query.interval)
        if not edges:
            return []
        text, parameters = self._usage.meters(query, edges)
        return [
            MeterSums(row[0], row[1], *self._read_sums(row[2:]))
            for row in self._fetch(text, parameters)
        ]

    @_answer.register
    def _buckets(self, question: Buckets) -> Sequence[tuple[int, int]]:
        return self._fetch(*self._usage.buckets(question.query))

    # Latency

    @_answer.register
    def _latency_bins(self, question: LatencyBins) -> Mapping[int, int]:
        return dict(self._fetch(*self._usage.latency_bins(question.query)))

    @_answer.register
    def _latency_by_step(self, question: LatencyByStep) -> Mapping[int, Mapping[int, int]]:
        query = question.query
        edges = step_edges(query.period, query.interval)
        if not edges:
            return {}
        bins: dict[int, dict[int, int]] = {}
        for step, latency_bin, requests in self._fetch(*self._usage.latency_by_step(query, edges)):
            bins.setdefault(step, {})[latency_bin] = requests
        return bins

    @_answer.register
    def _latency_by_value(self, question: LatencyByValue) -> Mapping[str, Mapping[int, int]]:
        text, parameters = self._usage.latency_by_value(question.query, question.dimension)
        bins: dict[str, dict[int, int]] = {}
        for value, latency_bin, requests in self._fetch(text, parameters):
            bins.setdefault(value, {})[latency_bin] = requests
        return bins

    # Sessions

    @_answer.register
    def _session_list(self, question: SessionList) -> Sequence[SessionSums]:
        return [
            SessionSums(row[0], row[1], row[2], SessionMeasures._make(self._read_sums(row[3:])))
            for row in self._fetch(*self._sessions.page(question.query))
        ]

    @_answer.register
    def _session_summary(self, question: SessionSummary) -> SessionTotals:
        (row,) = self._fetch(*self._sessions.totals(question.query))
        sums = [int(value or 0) for value in self._read_sums(row[1:])]
        return SessionTotals(row[0], SessionMeasures._make(sums))

    @_answer.register
    def _session_parts(self, question: SessionParts) -> Sequence[SessionPart]:
        width = 1 + len(SHOWN_OF)
        return [
            SessionPart(row[0], tuple(row[1:width]), self._read_sums(row[width:])[1])
            for row in self._fetch(*self._sessions.parts(question.query))
        ]

    @_answer.register
    def _session_buckets(self, question: SessionBuckets) -> Sequence[tuple[int, int]]:
        return self._fetch(*self._sessions.buckets(question.query))

    # Rollups

    @_answer.register
    def _cells(self, question: Cells) -> Iterable[tuple[Key, tuple[int, ...]]]:
        spec = question.spec
        window: Parameters = {
            "organization_id": self._rollups.organization(question.organization_id),
            "start": question.start,
            "end": question.end,
        }
        width = len(spec.dimensions)
        for row in self._stream(self._rollups.cells(spec), window):
            yield row[:width], self._read_sums(row[width:])

    @_answer.register
    def _slices(self, question: Slices) -> Sequence[int]:
        statement = self._rollups.slices(question.spec, question.buckets)
        return [int(row[0]) for row in self._fetch(statement, {})]

    @_answer.register
    def _fingerprints(self, question: Fingerprints) -> Sequence[CellSums]:
        values: Parameters = {
            "separator": SEPARATOR,
            "salt": question.salt,
            "start": question.start,
            "end": question.end,
        }
        found = []
        for organization_id, day, part, cells, *sums in self._fetch(
            self._rollups.fingerprints(question.spec), values
        ):
            lower, upper = sums[1::3], sums[2::3]
            weighted = tuple(
                int(low) + (int(high) << HALF_BITS) for low, high in zip(lower, upper, strict=True)
            )
            plain = tuple(map(int, sums[::3]))
            found.append(CellSums(organization_id, day, part, cells, plain, weighted))
        return found

    @_answer.register
    def _differences(self, _: NarrowDifferences) -> Mapping[str, int]:
        return self._narrow_differences()

    @_answer.register
    def _counts(self, _: RowCounts) -> Mapping[str, int]:
        return self._row_counts()

    def _totals_maker(self, measures: tuple[str, ...]) -> Callable[[tuple[int, ...]], Totals]:
        """A function that converts the last values of a row, sums of some measures, to Totals."""
        read = self._read_sums
        if measures == Totals._fields:
            return lambda values: Totals._make(read(values))
        places = {name: place for place, name in enumerate(measures)}
        arranged = itemgetter(*(places.get(name, len(places)) for name in Totals._fields))
        return lambda values: Totals._make(arranged((*read(values), 0)))

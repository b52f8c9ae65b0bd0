"""The cube as of an earlier ledger position: its current sums minus those of later events.

A client reads the pages of an export one after another while new usage arrives. This way all pages
belong to one snapshot, on whichever node they are read, and no node has to keep state.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import singledispatchmethod
from operator import add, sub
from typing import Any, Final, TypeVar

from outlay.domain.answers import ZERO, Row, Totals
from outlay.domain.dimension import Dimension, Grouping
from outlay.domain.discovery import Merges
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Conflict, Damaged
from outlay.domain.event import split_groups
from outlay.domain.query import ALL_MEASURES, RowQuery
from outlay.domain.questions import Question, Rows, StepTotals
from outlay.domain.tag import Tag, split_tags
from outlay.storage.cube.aggregation import Deltas, Key, aggregate
from outlay.storage.cube.rollups import DIMENSIONS
from outlay.storage.cube.steps import step_edges
from outlay.storage.cube.store import CubeReader
from outlay.storage.ledger.rows import COLUMN
from outlay.storage.ledger.store import Ledger

MAX_LATER_EVENTS: Final = 200_000
"""Maximum number of later events read for a page, which takes a second or two."""

_ORGANIZATION: Final = COLUMN["organization_id"]
_PLACE: Final = {name: place for place, name in enumerate(DIMENSIONS)}
_BUCKET: Final = _PLACE["bucket"]
_REQUESTS: Final = ALL_MEASURES.index("requests")

A = TypeVar("A")

_Cells = Mapping[Key, tuple[int, ...]]
_Place = tuple[int, tuple[str, ...]]
"""A step and the keys of a row."""


class SnapshotGone(Conflict):
    """The snapshot of the first page can no longer be read."""

    default_code = ErrorCode.SNAPSHOT_GONE

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; start again without a cursor", field="cursor")


class EarlierReader:
    """A snapshot of the cube as it was before some events of one organization.

    It answers the questions that exports ask: StepTotals and Rows.
    """

    def __init__(self, reader: CubeReader, later: _Cells, position: int) -> None:
        """`later` are the cells of the events after a ledger position."""
        self._reader = reader
        self._later = later
        self.loaded_seq = position

    def ask(self, question: Question[A]) -> A:
        """The answer to a question as of the position."""
        answer: A = self._answer(question)
        return answer

    @singledispatchmethod
    def _answer(self, question: Question[Any]) -> Any:
        raise TypeError(f"an earlier snapshot does not answer a {type(question).__name__}")

    @_answer.register
    def _step_totals(self, question: StepTotals) -> Mapping[int, Totals]:
        query = question.query
        found = dict(self._reader.ask(question))
        later = self._sums(replace(query.by(), interval=query.interval))
        for (step, _), measures in later.items():
            found[step] = _less(found.get(step, ZERO), measures)
        return {step: totals for step, totals in found.items() if totals.requests}

    @_answer.register
    def _rows(self, question: Rows) -> Iterable[Row]:
        query = question.query
        if "requests" not in query.measures:
            query = replace(query, measures=("requests", *query.measures))
        later = self._sums(query)
        # Rows that were voided since may be missing in the cube: they are inserted again.
        taken = sorted(
            (place, measures)
            for place, measures in later.items()
            if measures[_REQUESTS] < 0 and (query.after is None or place > query.after)
        )
        # Rows that did not exist yet are read and skipped.
        more = None if query.limit is None else query.limit + len(later)
        count = 0
        for row in self._reader.ask(Rows(replace(query, limit=more))):
            count += 1
            place = (row.step, row.keys)
            while taken and taken[0][0] < place:
                yield _taken_back(*taken.pop(0))
            if taken and taken[0][0] == place:
                taken.pop(0)
            measures = later.get(place)
            if measures is None:
                yield row
            elif (earlier := _less(row.measures, measures)).requests:
                yield row._replace(measures=earlier)
        if count != more:  # otherwise there are more rows after these, and enough rows here
            for entry in taken:
                yield _taken_back(*entry)

    def _sums(self, query: RowQuery) -> dict[_Place, tuple[int, ...]]:
        """The sums of the later events, by row of a query."""
        wanted = [name in query.measures for name in ALL_MEASURES]
        edges = step_edges(query.period, query.interval)
        found: dict[_Place, tuple[int, ...]] = {}
        for key, measures in self._later.items():
            if not self._matches(query, key):
                continue
            step = bisect_right(edges, key[_BUCKET]) - 1
            read = tuple(
                value if is_wanted else 0 for value, is_wanted in zip(measures, wanted, strict=True)
            )
            for keys in self._keys(query, key):
                known = found.get((step, keys))
                found[step, keys] = read if known is None else tuple(map(add, known, read))
        return found

    def _matches(self, query: RowQuery, key: Key) -> bool:
        """Whether a cell is in the period and matches every filter."""
        if not query.period.start_bucket <= key[_BUCKET] < query.period.end_bucket:
            return False
        return all(
            not self._values(query.merges, dimension, key).isdisjoint(
                query.merges.target(dimension, value) for value in values
            )
            for dimension, values in query.filters.items()
        )

    def _keys(self, query: RowQuery, key: Key) -> list[tuple[str, ...]]:
        """The rows that a cell counts in: one, or one per group."""
        rows: list[tuple[str, ...]] = [()]
        for dimension in query.group_by:
            values = self._values(query.merges, dimension, key) or {""}
            rows = [(*row, value) for row in rows for value in values]
        return rows

    @staticmethod
    def _values(merges: Merges, dimension: Grouping, key: Key) -> set[str]:
        """The values of a cell in a dimension; merged ones are replaced by their targets."""
        text = key[_PLACE[dimension.column]]
        if isinstance(dimension, Tag):
            return {split_tags(text).get(dimension.key, "")}
        if dimension is not Dimension.GROUP:
            return {merges.target(dimension, text)}
        return {merges.target(dimension, group) for group in split_groups(text)}


def reader_as_of(
    reader: CubeReader, ledger: Ledger, organization_id: str, position: int
) -> EarlierReader:
    """A snapshot as of a ledger position; raises SnapshotGone if it cannot be provided."""
    loaded = reader.loaded_seq
    if position > loaded:
        raise SnapshotGone(
            "The cursor refers to a state that is no longer loaded. Start again with the first "
            "page."
        )
    if loaded - position > MAX_LATER_EVENTS:
        raise SnapshotGone(
            f"More than {MAX_LATER_EVENTS:,} requests were recorded since the first page. Start "
            "again with the first page."
        )
    later = Deltas()
    try:
        for batch in ledger.read_all(loaded, position):
            aggregate(
                (row for row in batch.rows if row[_ORGANIZATION] == organization_id), into=later
            )
    except Damaged as error:
        raise SnapshotGone(
            "The requests recorded since the first page cannot be read. Start again with the "
            "first page."
        ) from error
    return EarlierReader(reader, later.usage, position)


def _taken_back(place: _Place, measures: tuple[int, ...]) -> Row:
    """A row as it was before all its requests were voided."""
    return Row(*place, _less(ZERO, measures))


def _less(totals: Totals, measures: tuple[int, ...]) -> Totals:
    return Totals._make(map(sub, totals, measures))

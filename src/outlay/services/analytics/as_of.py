"""The cube as it was at an earlier ledger position: what it has now, less what came since.

The pages of a file are asked for one after another while usage goes on coming in; this way they
are pages of one snapshot, on whichever node they are answered, and nothing has to be kept for them.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import replace
from operator import add, sub
from typing import Final

from outlay.domain.dimension import Dimension, Grouping
from outlay.domain.discovery import Merges
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Conflict, Damaged
from outlay.domain.event import split_groups
from outlay.domain.query import ALL_MEASURES, RowQuery, UsageQuery
from outlay.domain.result import ZERO, Totals
from outlay.domain.tag import Tag, split_tags
from outlay.storage.cube.aggregation import Deltas, Key, aggregate
from outlay.storage.cube.rollups import DIMENSIONS
from outlay.storage.cube.steps import step_marks
from outlay.storage.cube.store import CubeReader, Row
from outlay.storage.ledger.rows import COLUMN
from outlay.storage.ledger.store import Ledger

MAX_LATER_EVENTS: Final = 200_000
"""Events that are read again for a page, at most: a second or two."""

_ORGANIZATION: Final = COLUMN["organization_id"]
_PLACE: Final = {name: place for place, name in enumerate(DIMENSIONS)}
_BUCKET: Final = _PLACE["bucket"]
_REQUESTS: Final = ALL_MEASURES.index("requests")

_Cells = Mapping[Key, tuple[int, ...]]
_Place = tuple[int, tuple[str, ...]]
"""A step and the keys of a row."""


class SnapshotGone(Conflict):
    """What a page is to be a page of cannot be read any more."""

    default_code = ErrorCode.SNAPSHOT_GONE

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; start again without a cursor", field="cursor")


class EarlierReader:
    """A snapshot of the cube as it was before some events of one organization."""

    def __init__(self, reader: CubeReader, later: _Cells, merges: Merges) -> None:
        """`later` are the cells of those events."""
        self._reader = reader
        self._later = later
        self._merges = merges

    def totals(self, query: UsageQuery) -> dict[int, Totals]:
        """Measures per step index, each event once; steps without usage are absent."""
        asked = RowQuery(
            organization_id=query.organization_id,
            period=query.period,
            measures=query.measures,
            interval=query.interval,
            filters=query.filters,
        )
        found = self._reader.totals(query)
        for (step, _), measures in self._sums(asked).items():
            found = {**found, step: _less(found.get(step, ZERO), measures)}
        return {step: totals for step, totals in found.items() if totals.requests}

    def rows(self, query: RowQuery) -> Iterator[Row]:
        """Every combination of dimension values per step, in that order."""
        if "requests" not in query.measures:
            query = replace(query, measures=("requests", *query.measures))
        later = self._sums(query)
        # What was taken back since may be gone from the cube: it is put where it was.
        taken = sorted(
            (place, measures)
            for place, measures in later.items()
            if measures[_REQUESTS] < 0 and (query.after is None or place > query.after)
        )
        # Rows that were not there yet are read and left out.
        more = None if query.limit is None else query.limit + len(later)
        count = 0
        for row in self._reader.rows(replace(query, limit=more)):
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
        if count != more:  # else there are rows beyond, and enough of them here
            for entry in taken:
                yield _taken_back(*entry)

    def _sums(self, query: RowQuery) -> dict[_Place, tuple[int, ...]]:
        """What the later events come to, row by row of a question."""
        wanted = [name in query.measures for name in ALL_MEASURES]
        marks = step_marks(query.period, query.interval)
        found: dict[_Place, tuple[int, ...]] = {}
        for key, measures in self._later.items():
            if not self._matches(query, key):
                continue
            step = bisect_right(marks, key[_BUCKET]) - 1
            read = tuple(
                value if is_wanted else 0 for value, is_wanted in zip(measures, wanted, strict=True)
            )
            for keys in self._keys(query.group_by, key):
                known = found.get((step, keys))
                found[step, keys] = read if known is None else tuple(map(add, known, read))
        return found

    def _matches(self, query: RowQuery, key: Key) -> bool:
        """Whether a cell is in the window and meets every filter."""
        if not query.period.start_bucket <= key[_BUCKET] < query.period.end_bucket:
            return False
        return all(
            not self._values(dimension, key).isdisjoint(
                self._merges.target(dimension, value) for value in values
            )
            for dimension, values in query.filters.items()
        )

    def _keys(self, dimensions: tuple[Grouping, ...], key: Key) -> list[tuple[str, ...]]:
        """The rows that a cell counts in: one, or one for each of its groups."""
        rows: list[tuple[str, ...]] = [()]
        for dimension in dimensions:
            values = self._values(dimension, key) or {""}
            rows = [(*row, value) for row in rows for value in values]
        return rows

    def _values(self, dimension: Grouping, key: Key) -> set[str]:
        """What a cell has of a dimension, merged values as what they count as."""
        text = key[_PLACE[dimension.column]]
        if isinstance(dimension, Tag):
            return {split_tags(text).get(dimension.key, "")}
        if dimension is not Dimension.GROUP:
            return {self._merges.target(dimension, text)}
        return {self._merges.target(dimension, group) for group in split_groups(text)}


def reader_as_of(
    reader: CubeReader, ledger: Ledger, organization_id: str, position: int, merges: Merges
) -> EarlierReader:
    """What answers as of a ledger position; SnapshotGone where that is not to be had."""
    loaded = reader.loaded_seq()
    if position > loaded:
        raise SnapshotGone("this cursor is of a state that is not loaded here")
    if loaded - position > MAX_LATER_EVENTS:
        raise SnapshotGone(
            f"more than {MAX_LATER_EVENTS:,} requests were recorded since the first page"
        )
    later = Deltas()
    try:
        for batch in ledger.read_all(loaded, position):
            aggregate(
                (row for row in batch.rows if row[_ORGANIZATION] == organization_id), into=later
            )
    except Damaged as error:
        raise SnapshotGone("the requests since the first page cannot be read") from error
    return EarlierReader(reader, later.usage, merges)


def _taken_back(place: _Place, measures: tuple[int, ...]) -> Row:
    """A row that was there before all of it was taken back."""
    return Row(*place, _less(ZERO, measures))


def _less(totals: Totals, measures: tuple[int, ...]) -> Totals:
    return Totals._make(map(sub, totals, measures))

"""Answers that are kept as long as nothing in their window has changed.

Dashboards ask the same again and again: every open page looks for news, every visitor of a morning
asks for the same month. An answer stands for the snapshot that it came from; it is given again only
to a snapshot in which no day of its window holds other events of its organization. What has changed
is known by ledger position: a day's last change is noted before it is loaded, so that a snapshot
that does not reach it yet never takes or leaves an answer.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, TypeVar

from outlay.domain.answers import Totals
from outlay.domain.dimension import Grouping
from outlay.domain.period import BUCKETS_PER_DAY, Period
from outlay.domain.query import RowQuery, UsageQuery
from outlay.domain.session import SessionPart, SessionQuery, SessionSums, SessionTotals
from outlay.storage.cube.aggregation import Deltas, Key
from outlay.storage.cube.rollups import DIMENSIONS, RollupSpec
from outlay.storage.cube.store import BreakdownRow, CellSums, CubeReader, MeterSums, NestedRow, Row

MAX_ANSWER_ROWS: Final = 10_000
"""Larger answers are for files; they are not kept."""
MAX_KEPT_ROWS: Final = 50_000
"""Rows of all answers together: some tens of megabytes."""

_ORGANIZATION: Final = DIMENSIONS.index("organization_id")
_BUCKET: Final = DIMENSIONS.index("bucket")

AT_ONCE: Final = 2
"""Questions that reach the cube at a time: more would share its cores and its memory, and wait."""

Answer = TypeVar("Answer")


class Changes:
    """Up to which ledger position each organization's days have changed. Thread-safe."""

    def __init__(self, *, is_complete: bool = True) -> None:
        """Not complete where others load the cube, too: then any load may have changed any day."""
        self._is_complete = is_complete
        self._last: dict[str, dict[int, int]] = {}
        self._lock = threading.Lock()

    def note(self, deltas: Deltas, through_seq: int) -> None:
        """Note the days of cells that are about to be loaded, before they are."""
        with self._lock:
            for key in deltas.usage:
                days = self._last.setdefault(key[_ORGANIZATION], {})
                day = key[_BUCKET] // BUCKETS_PER_DAY
                days[day] = max(days.get(day, 0), through_seq)

    def last(self, organization_id: str, period: Period, seq: int) -> int:
        """The last position that changed a day of a period; 0 for none since the start.

        `seq` is the position of whoever asks: what is not known has changed just there.
        """
        if not self._is_complete:
            return seq
        first = period.start_bucket // BUCKETS_PER_DAY
        beyond = -(-period.end_bucket // BUCKETS_PER_DAY)
        with self._lock:
            days = self._last.get(organization_id, {})
            if len(days) < beyond - first:
                found = [seq for day, seq in days.items() if first <= day < beyond]
            else:
                found = [days[day] for day in range(first, beyond) if day in days]
        return max(found, default=0)


class Answers:
    """What has been answered, the least recently wanted dropped first. Thread-safe."""

    def __init__(self, max_rows: int = MAX_KEPT_ROWS) -> None:
        self._max_rows = max_rows
        self._kept: OrderedDict[object, tuple[Any, int]] = OrderedDict()
        self._rows = 0
        self._lock = threading.Lock()
        self.turn = threading.BoundedSemaphore(AT_ONCE)
        """Held by whoever asks the cube."""

    def find(self, key: object) -> tuple[Any] | None:
        """An answer in a tuple of its own; None when there is none."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return (found[0],)

    def keep(self, key: object, answer: Any, rows: int) -> None:
        """Keep an answer of so many rows."""
        weight = rows + 1
        if weight > MAX_ANSWER_ROWS:
            return
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = (answer, weight)
            self._rows += weight
            while self._rows > self._max_rows:
                _, (_, gone) = self._kept.popitem(last=False)
                self._rows -= gone


class RememberingReader:
    """A snapshot that answers from memory what it has been asked before. Answers are shared:
    whoever gets one must not change it."""

    def __init__(
        self, reader: CubeReader, changes: Changes, answers: Answers, edition: str
    ) -> None:
        """`edition` tells cubes of other rows apart."""
        self._reader = reader
        self._changes = changes
        self._answers = answers
        self._edition = edition
        self._seq = reader.loaded_seq()

    def _once(
        self,
        question: str,
        query: UsageQuery | RowQuery,
        ask: Callable[[], Answer],
        *more: object,
        size: Callable[[Answer], int],
    ) -> Answer:
        key = self._key(question, query, *more)
        known: Answer
        if found := self._find(key):
            (known,) = found
            return known
        with self._answers.turn:
            if found := self._find(key):  # somebody asked the same meanwhile
                (known,) = found
                return known
            answer = ask()
            if key is not None:
                self._answers.keep(key, answer, size(answer))
        return answer

    def _find(self, key: object) -> tuple[Any] | None:
        return None if key is None else self._answers.find(key)

    def _key(
        self, question: str, query: UsageQuery | RowQuery, *more: object
    ) -> tuple[object, ...] | None:
        """What tells a question and its data apart; None where another snapshot is newer."""
        last = self._changes.last(query.organization_id, query.period, self._seq)
        if last > self._seq:
            return None
        period = query.period
        asked = tuple(
            tuple(sorted(value.items())) if name == "filters" else value
            for name in type(query).__slots__
            if name not in {"period", "beside"}
            for value in [getattr(query, name)]
        )
        window = (period.start_bucket, period.end_bucket, period.timezone)
        return (self._edition, last, question, *more, *window, *asked)

    def loaded_seq(self) -> int:
        """The ledger position this snapshot covers."""
        return self._seq

    def totals(self, query: UsageQuery) -> dict[int, Totals]:
        """Measures per step index, each event once; steps without usage are absent."""
        return self._once("totals", query, lambda: self._reader.totals(query), size=len)

    def breakdown(self, query: UsageQuery) -> list[BreakdownRow]:
        """Measures per step index and group, the top kept and the rest as `other`."""
        return self._once("breakdown", query, lambda: self._reader.breakdown(query), size=len)

    def nested(self, query: UsageQuery, named: tuple[str, ...]) -> list[NestedRow]:
        """The second level under the `named` values of the first; the others are one together."""
        return self._once(
            "nested", query, lambda: self._reader.nested(query, named), named, size=len
        )

    def rows(self, query: RowQuery) -> Iterator[Row]:
        """Every combination of dimension values per step, in that order."""
        key = self._key("rows", query)
        if found := self._find(key):
            yield from found[0]
            return
        with self._answers.turn:
            rows = self._reader.rows(query)
            first = list(islice(rows, MAX_ANSWER_ROWS))
        if key is not None and len(first) < MAX_ANSWER_ROWS:
            self._answers.keep(key, first, len(first))
        yield from first
        yield from rows

    def distinct(
        self, query: UsageQuery, dimensions: tuple[Grouping, ...]
    ) -> dict[int, tuple[int, ...]]:
        """How many values of each dimension had usage, per step; steps without are absent."""
        return self._once(
            "distinct",
            query,
            lambda: self._reader.distinct(query, dimensions),
            dimensions,
            size=len,
        )

    def meters(self, query: UsageQuery) -> list[MeterSums]:
        """How much of each meter was used per step, and what it cost."""
        return self._once("meters", query, lambda: self._reader.meters(query), size=len)

    def buckets(self, query: UsageQuery) -> list[tuple[int, int]]:
        """The buckets in which something matches, newest first, with their requests."""
        return self._once("buckets", query, lambda: self._reader.buckets(query), size=len)

    def latency_bins(self, query: UsageQuery) -> dict[int, int]:
        """Requests per latency bin."""
        return self._once("bins", query, lambda: self._reader.latency_bins(query), size=len)

    def latency_steps(self, query: UsageQuery) -> dict[int, dict[int, int]]:
        """Requests per latency bin of each step index; steps without are absent."""
        return self._once(
            "bins by step", query, lambda: self._reader.latency_steps(query), size=_size_of_bins
        )

    def latency_by(self, query: UsageQuery, dimension: Grouping) -> dict[str, dict[int, int]]:
        """Requests per latency bin of each value of a dimension; empty without one."""
        return self._once(
            "bins by value",
            query,
            lambda: self._reader.latency_by(query, dimension),
            dimension,
            size=_size_of_bins,
        )

    def sessions(self, query: SessionQuery) -> list[SessionSums]:
        """A page of sessions, in the order asked for."""
        with self._answers.turn:
            return self._reader.sessions(query)

    def session_totals(self, query: SessionQuery) -> SessionTotals:
        """How many sessions a question is about, and what they come to."""
        with self._answers.turn:
            return self._reader.session_totals(query)

    def session_parts(self, query: SessionQuery) -> list[SessionPart]:
        """Which models, projects, keys, users and apps sessions have."""
        with self._answers.turn:
            return self._reader.session_parts(query)

    def session_buckets(self, query: SessionQuery) -> list[tuple[int, int]]:
        """The buckets in which sessions had requests, newest first, and how many."""
        with self._answers.turn:
            return self._reader.session_buckets(query)

    def cells(
        self, spec: RollupSpec, organization_id: str, start: int, end: int
    ) -> Iterator[tuple[Key, tuple[int, ...]]]:
        """Every cell of a rollup in buckets [start, end): never from memory."""
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


def _size_of_bins(bins: Mapping[Any, Mapping[int, int]]) -> int:
    """In rows: a bin is two small numbers, a row a score of them."""
    return sum(map(len, bins.values())) // 8

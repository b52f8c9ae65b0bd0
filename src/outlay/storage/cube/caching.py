"""Answers that are cached as long as nothing in their period has changed.

Dashboards ask the same questions again and again: every open page polls, and every visitor of a
morning asks about the same month. An answer is valid for the snapshot that it came from, and for
every snapshot between which and this one no day of its period got events of its organization. What
changed is known by ledger position. A day's last change is noted before it is loaded, so that a
snapshot from before the load neither uses nor adds an answer.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping, Sized
from itertools import chain, islice
from typing import Any, Final, TypeVar

from outlay.domain.period import BUCKETS_PER_DAY, Period
from outlay.domain.questions import Question, UsageQuestion
from outlay.storage.cube.aggregation import Deltas
from outlay.storage.cube.rollups import DIMENSIONS
from outlay.storage.cube.store import CubeReader

MAX_ANSWER_ROWS: Final = 10_000
"""Larger answers are for files; they are not cached."""
MAX_CACHED_ROWS: Final = 50_000
"""Rows of all answers together: some tens of megabytes."""

MAX_CONCURRENT: Final = 2
"""Questions that the cube answers at a time: more would share its cores and memory, and wait."""

_ORGANIZATION: Final = DIMENSIONS.index("organization_id")
_BUCKET: Final = DIMENSIONS.index("bucket")

_MISSING: Final = object()

A = TypeVar("A")


class Changes:
    """Up to which ledger position each organization's days have changed. Thread-safe."""

    def __init__(self, *, is_complete: bool = True) -> None:
        """Not complete where other nodes load the cube, too: any load may have changed any day."""
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

        `seq` is the position of the snapshot that asks: where changes are not complete, every day
        counts as changed there.
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


class AnswerCache:
    """Cached answers, the least recently used dropped first. Thread-safe."""

    def __init__(self, max_rows: int = MAX_CACHED_ROWS) -> None:
        self._max_rows = max_rows
        self._cached: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._rows = 0
        self._lock = threading.Lock()
        self.turn = threading.BoundedSemaphore(MAX_CONCURRENT)
        """Held while the cube answers a question."""

    def get(self, key: Hashable, default: Any = None) -> Any:
        """The answer under a key."""
        with self._lock:
            found = self._cached.get(key)
            if found is None:
                return default
            self._cached.move_to_end(key)
            return found[0]

    def add(self, key: Hashable, answer: Any) -> None:
        """Cache an answer, unless it is large."""
        weight = _rows_of(answer) + 1
        if weight > MAX_ANSWER_ROWS:
            return
        with self._lock:
            if key in self._cached:
                return
            self._cached[key] = (answer, weight)
            self._rows += weight
            while self._rows > self._max_rows:
                _, (_, dropped) = self._cached.popitem(last=False)
                self._rows -= dropped


class CachingReader:
    """A snapshot that asks the cube only what is not in the cache.

    Order of locks: a turn at the cube, and within it the lock of the cache, which is held for no
    more than a look-up. The lock of the changes is held alone.
    """

    def __init__(
        self, reader: CubeReader, changes: Changes, cache: AnswerCache, edition: str
    ) -> None:
        """`edition` tells the answers of this cube from those of one with other rows."""
        self._reader = reader
        self._changes = changes
        self._cache = cache
        self._edition = edition
        self.loaded_seq = reader.loaded_seq

    def ask(self, question: Question[A]) -> A:
        """The answer of a question; whoever gets it must not change it."""
        key = self._key(question)
        answer: A = self._cache.get(key, _MISSING)
        if answer is not _MISSING:
            return answer
        with self._cache.turn:
            # Another thread may have asked the same in the meantime.
            answer = self._cache.get(key, _MISSING)
            if answer is _MISSING:
                answer = _read_ahead(self._reader.ask(question))
                if key is not None:
                    self._cache.add(key, answer)
        return answer

    def _key(self, question: Question[Any]) -> Hashable | None:
        """The question and the state of its data; None where it cannot be cached.

        That is where the cube already has later changes than this snapshot.
        """
        if not isinstance(question, UsageQuestion):
            return None
        query = question.query
        last = self._changes.last(query.organization_id, query.period, self.loaded_seq)
        return None if last > self.loaded_seq else (self._edition, last, question)


def _read_ahead(answer: Any) -> Any:
    """An answer that comes row by row, as a list if it is short enough to be cached."""
    if not isinstance(answer, Iterator):
        return answer
    rows = list(islice(answer, MAX_ANSWER_ROWS))
    return rows if len(rows) < MAX_ANSWER_ROWS else chain(rows, answer)


def _rows_of(answer: Any) -> int:
    """The size of an answer in rows; one that still comes row by row is large."""
    if isinstance(answer, Iterator):
        return MAX_ANSWER_ROWS
    if isinstance(answer, Mapping) and isinstance(next(iter(answer.values()), None), Mapping):
        # A latency bin is two small numbers, a row about twenty.
        return sum(map(len, answer.values())) // 8
    return len(answer) if isinstance(answer, Sized) else 1

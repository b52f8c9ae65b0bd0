"""Caching answers for as long as nothing in their period changes.

Dashboards ask the same questions repeatedly: every open page polls, and everybody looks at the
current month. An answer is valid for the snapshot that it came from, and for every other snapshot
as long as no day of its period got new events of its organization in between. Changes are tracked
by ledger position. The last change of a day is noted before it is loaded, so that a snapshot from
before the load neither uses nor adds an answer.
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
"""Larger answers are for exports; they are not cached."""
MAX_CACHED_ROWS: Final = 50_000
"""Maximum number of rows in all cached answers: some tens of megabytes."""

MAX_CONCURRENT: Final = 2
"""Questions that the cube answers concurrently: more would only compete for its cores and
memory."""

_ORGANIZATION: Final = DIMENSIONS.index("organization_id")
_BUCKET: Final = DIMENSIONS.index("bucket")

_MISSING: Final = object()

A = TypeVar("A")


class Changes:
    """The ledger position up to which the days of each organization have changed. Thread-safe."""

    def __init__(self, *, is_complete: bool = True) -> None:
        """Not `is_complete` if other nodes load the cube, too: any load may have changed any
        day."""
        self._is_complete = is_complete
        self._last: dict[str, dict[int, int]] = {}
        self._lock = threading.Lock()

    def note(self, deltas: Deltas, through_seq: int) -> None:
        """Note the days of cells before they are loaded."""
        with self._lock:
            for key in deltas.usage:
                days = self._last.setdefault(key[_ORGANIZATION], {})
                day = key[_BUCKET] // BUCKETS_PER_DAY
                days[day] = max(days.get(day, 0), through_seq)

    def last(self, organization_id: str, period: Period, seq: int) -> int:
        """The last position that changed a day of a period; 0 if none has changed since the start.

        `seq` is the position of the asking snapshot: if the changes are not complete, every day
        counts as changed at that position.
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
    """Cached answers; the least recently used ones are evicted. Thread-safe."""

    def __init__(self, max_rows: int = MAX_CACHED_ROWS) -> None:
        self._max_rows = max_rows
        self._cached: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._rows = 0
        self._lock = threading.Lock()
        self.turn = threading.BoundedSemaphore(MAX_CONCURRENT)
        """Held while the cube answers a question."""

    def get(self, key: Hashable, default: Any = None) -> Any:
        """The answer for a key."""
        with self._lock:
            found = self._cached.get(key)
            if found is None:
                return default
            self._cached.move_to_end(key)
            return found[0]

    def add(self, key: Hashable, answer: Any) -> None:
        """Cache an answer unless it is too large."""
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
    """A snapshot that asks the cube only for answers that are not cached.

    Order of locks: a turn at the cube first, then the lock of the cache, which is held only for a
    look-up. The lock of the changes is never held together with another one.
    """

    def __init__(
        self, reader: CubeReader, changes: Changes, cache: AnswerCache, edition: str
    ) -> None:
        """`edition` distinguishes the answers of this cube from those of one with other rows."""
        self._reader = reader
        self._changes = changes
        self._cache = cache
        self._edition = edition
        self.loaded_seq = reader.loaded_seq

    def ask(self, question: Question[A]) -> A:
        """The answer to a question; callers must not change it."""
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
        """The question and the state of its data; None if it cannot be cached.

        That is the case if the cube already has later changes than this snapshot.
        """
        if not isinstance(question, UsageQuestion):
            return None
        query = question.query
        last = self._changes.last(query.organization_id, query.period, self.loaded_seq)
        return None if last > self.loaded_seq else (self._edition, last, question)


def _read_ahead(answer: Any) -> Any:
    """An answer that is streamed, as a list if it is short enough to be cached."""
    if not isinstance(answer, Iterator):
        return answer
    rows = list(islice(answer, MAX_ANSWER_ROWS))
    return rows if len(rows) < MAX_ANSWER_ROWS else chain(rows, answer)


def _rows_of(answer: Any) -> int:
    """The size of an answer in rows; one that is still streamed counts as large."""
    if isinstance(answer, Iterator):
        return MAX_ANSWER_ROWS
    if isinstance(answer, Mapping) and isinstance(next(iter(answer.values()), None), Mapping):
        # A latency bin is two small numbers, a row about twenty.
        return sum(map(len, answer.values())) // 8
    return len(answer) if isinstance(answer, Sized) else 1

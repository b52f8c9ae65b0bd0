"""The latest batches in memory, so that readers that keep up need not read them from disk."""

import threading
from collections import deque
from typing import Final

from outlay.storage.ledger.rows import Batch

RECENT_EVENTS: Final = 20_000
"""Events kept in memory after their commit."""


class RecentBatches:
    """A gapless run of the newest batches. Thread-safe."""

    def __init__(self) -> None:
        self._batches: deque[Batch] = deque()
        self._events = 0
        self._lock = threading.Lock()

    def add(self, batch: Batch) -> None:
        """Add a batch; earlier batches are dropped if it does not follow them."""
        with self._lock:
            if self._batches and self._batches[-1].last_seq + 1 != batch.first_seq:
                self._drop_all()
            self._batches.append(batch)
            self._events += len(batch.rows)
            while self._events > RECENT_EVENTS and len(self._batches) > 1:
                self._drop_first()

    def after(self, seq: int) -> list[Batch]:
        """Batches after a sequence number; empty if they go back further than this does.

        Earlier batches are dropped: the reader does not need them any more.
        """
        with self._lock:
            while self._batches and self._batches[0].last_seq <= seq:
                self._drop_first()
            if not self._batches or self._batches[0].first_seq > seq + 1:
                return []
            return [batch for batch in self._batches if batch.first_seq > seq]

    def clear(self) -> None:
        """Drop all batches."""
        with self._lock:
            self._drop_all()

    def _drop_first(self) -> None:
        self._events -= len(self._batches.popleft().rows)

    def _drop_all(self) -> None:
        self._batches.clear()
        self._events = 0

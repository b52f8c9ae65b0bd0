"""A cache of batches with valid checksums: a digest of each row.

A request log shows a few rows of many batches. Each batch is read and checked once. Later, a row is
compared with its digest at that time, so that a row that changes after the check is detected, too.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

from outlay.storage.ledger.rows import EventRow, encode_row

ROW_DIGEST_BYTES: Final = 8
MAX_ROWS: Final = 1_000_000
"""Maximum number of cached rows, of the most recently used batches: 8 MB."""


class BatchHead(NamedTuple):
    """A batch without its rows, and the checksum of the previous batch."""

    batch_id: int
    first_seq: int
    last_seq: int
    recorded_at_us: int
    checksum: bytes
    row_width: int
    restated: bytes | None
    previous: bytes | None
    """None for the first batch."""


class CheckedBatches:
    """Row digests of batches; the least recently used are evicted. Thread-safe.

    A batch is cached with its head at that time: if its rows are restated or its head is damaged,
    it counts as not checked.
    """

    def __init__(self, capacity: int = MAX_ROWS) -> None:
        """`capacity` is the maximum number of cached rows, but at least one batch is cached."""
        self._capacity = capacity
        self._known: OrderedDict[int, tuple[BatchHead, bytes]] = OrderedDict()
        self._rows = 0
        self._lock = threading.Lock()

    def add(self, head: BatchHead, rows: Sequence[EventRow]) -> None:
        """Cache the checked rows of a batch."""
        digests = b"".join(map(_digest, rows))
        with self._lock:
            self._forget(head.batch_id)
            self._known[head.batch_id] = (head, digests)
            self._rows += len(rows)
            while self._rows > self._capacity and len(self._known) > 1:
                self._forget(next(iter(self._known)))

    def vouches_for(self, head: BatchHead, rows: Sequence[EventRow]) -> bool:
        """Whether the batch was checked and these rows have not changed since."""
        with self._lock:
            known = self._known.get(head.batch_id)
            if known is None or known[0] != head:
                return False
            self._known.move_to_end(head.batch_id)
        digests = known[1]
        for row in rows:
            start = (row[0] - head.first_seq) * ROW_DIGEST_BYTES
            if digests[start : start + ROW_DIGEST_BYTES] != _digest(row):
                return False
        return True

    def _forget(self, batch_id: int) -> None:
        known = self._known.pop(batch_id, None)
        if known is not None:
            self._rows -= len(known[1]) // ROW_DIGEST_BYTES


def _digest(row: EventRow) -> bytes:
    return blake2b(encode_row(row), digest_size=ROW_DIGEST_BYTES).digest()

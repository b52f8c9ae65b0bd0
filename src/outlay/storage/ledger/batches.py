"""Batches of the ledger: checking them against their checksums, and reading runs of them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged
from outlay.storage.ledger import queries
from outlay.storage.ledger.checking import BatchHead
from outlay.storage.ledger.connection import Connection
from outlay.storage.ledger.rows import (
    COLUMN,
    GENESIS,
    ROW_COLUMNS,
    EventRow,
    StoredBatch,
    batch_checksum,
)

READ_EVENTS: Final = 5_000
"""Events read at a time: many batches have only a few events."""

_RECORDED_AT: Final = COLUMN["recorded_at_us"]


def is_intact(previous: bytes, batch: StoredBatch) -> bool:
    """Whether the rows of a batch match its checksum, given the previous one."""
    width, rows = batch.row_width, batch.rows
    covered = rows if width == len(ROW_COLUMNS) else [row[:width] for row in rows]
    is_whole = len(rows) == batch.last_seq - batch.first_seq + 1
    if not is_whole or rows[0][_RECORDED_AT] != batch.recorded_at_us:
        return False
    return batch_checksum(previous, covered) == (batch.restated or batch.checksum)


def read_run(
    reader: Connection, run: Sequence[BatchHead]
) -> Iterator[tuple[BatchHead, list[EventRow] | None]]:
    """Consecutive batches with their rows, None if these do not match their checksum."""
    window = (run[0].first_seq, run[-1].last_seq)
    rows = reader.execute(queries.EVENTS_BETWEEN, window).fetchall()
    sequences = [row[0] for row in rows]
    for head in run:
        start = bisect_left(sequences, head.first_seq)
        end = bisect_right(sequences, head.last_seq)
        batch = StoredBatch(*head[:7], rows=rows[start:end])
        yield head, batch.rows if is_intact(head.previous or GENESIS, batch) else None


def damaged(batch_id: int, first_seq: int, last_seq: int) -> Damaged:
    """The error for a batch whose rows do not match its checksum."""
    return Damaged(
        f"Batch {batch_id} of the ledger (events {first_seq} to {last_seq}) does not match its "
        "checksum. Restore a backup.",
        code=ErrorCode.LEDGER_CHECKSUM,
    )


def by_batch(
    heads: Sequence[BatchHead], by_seq: Mapping[int, EventRow]
) -> dict[BatchHead, list[EventRow]]:
    """Rows grouped by batch; raises Damaged if a row is in no batch."""
    sequences = sorted(by_seq)
    shown = {}
    for head in heads:
        start = bisect_left(sequences, head.first_seq)
        end = bisect_right(sequences, head.last_seq)
        shown[head] = [by_seq[seq] for seq in sequences[start:end]]
    if sum(map(len, shown.values())) != len(sequences):
        known = {row[0] for part in shown.values() for row in part}
        lost = next(seq for seq in sequences if seq not in known)
        raise Damaged(
            f"Event {lost} of the ledger is in no batch. Restore a backup of the ledger.",
            code=ErrorCode.LEDGER_CHECKSUM,
        )
    return shown


def runs_of(heads: Sequence[Any]) -> Iterator[list[Any]]:
    """Heads of consecutive batches, in groups of up to READ_EVENTS events or a single batch."""
    run: list[Any] = []
    count = 0
    for head in heads:
        size = head[2] - head[1] + 1
        if run and (count + size > READ_EVENTS or head[1] != run[-1][2] + 1):
            yield run
            run, count = [], 0
        run.append(head)
        count += size
    if run:
        yield run

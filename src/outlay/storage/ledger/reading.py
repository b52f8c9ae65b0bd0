"""Reading the ledger: batches, windows, single events; the same on every engine."""

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from outlay.domain.errors import Damaged
from outlay.storage.ledger import queries
from outlay.storage.ledger.log import LogFilter, LoggedEvent, log_statement, logged
from outlay.storage.ledger.rows import (
    GENESIS,
    ROW_COLUMNS,
    Batch,
    EventRow,
    Intent,
    batch_checksum,
)
from outlay.storage.tenant import EVERY_TENANT

READ_EVENTS: Final = 5_000
"""Events read at a time: batches are often of a few events only."""


class Rows(Protocol):
    """What a statement found."""

    def fetchone(self) -> Any:
        """The next row, None after the last."""
        ...

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """What runs statements whose values are marked by `?`."""

    def execute(self, text: str, values: Sequence[Any] = (), /) -> Rows:
        """Run a statement."""
        ...

    def executemany(self, text: str, values: Sequence[Sequence[Any]], /) -> object:
        """Run a statement for each of several sets of values."""
        ...


class LedgerReader(ABC):
    """What has been committed. Thread-safe."""

    # What engines say differently.
    _contains: str = "instr"
    """The function that tells where a text is in another, 0 for nowhere."""
    _find_event: str = queries.EVENT
    _organizations: str = queries.ORGANIZATIONS

    @abstractmethod
    def _reading(self, tenant: str = EVERY_TENANT) -> AbstractContextManager[Connection]:
        """A connection that this thread may read with; of one organization only, where named."""

    @abstractmethod
    def _stream(self, text: str, values: Sequence[Any]) -> Iterator[EventRow]:
        """The rows of a statement that may find more than memory holds."""

    def read_batches(self, after_seq: int, limit: int = 5_000) -> Iterator[Batch]:
        """Up to `limit` whole batches after `after_seq`, each checked against its checksum.

        Raises Damaged, naming the batch, when stored rows are not what was written.
        """
        with self._reading() as reader:
            heads = reader.execute(queries.BATCHES_AFTER, (after_seq, limit)).fetchall()
            if not heads:
                return
            found = reader.execute(queries.CHECKSUM_BEFORE, (heads[0][0],)).fetchone()
        previous: bytes = found[0] if found else GENESIS
        expected = after_seq + 1
        for run in _runs(heads):
            with self._reading() as reader:
                window = (run[0][1], run[-1][2])
                rows = reader.execute(queries.EVENTS_BETWEEN, window).fetchall()
            sequences = [row[0] for row in rows]
            for batch_id, first_seq, last_seq, recorded_at_us, checksum, width, restated in run:
                start, end = bisect_left(sequences, first_seq), bisect_right(sequences, last_seq)
                part = rows[start:end]
                intact = first_seq == expected and len(part) == last_seq - first_seq + 1
                covered = part if width == len(ROW_COLUMNS) else [row[:width] for row in part]
                if not intact or batch_checksum(previous, covered) != (restated or checksum):
                    raise Damaged(
                        f"batch {batch_id} of the ledger (events {first_seq} to {last_seq}) does "
                        "not match its checksum; restore it from a backup",
                        code="ledger-checksum",
                    )
                previous, expected = checksum, last_seq + 1
                yield Batch(batch_id, first_seq, last_seq, recorded_at_us, part)

    def read_window(
        self, organization_id: str, start_us: int, end_us: int, through_seq: int
    ) -> Iterator[EventRow]:
        """Rows of an organization with event time in [start_us, end_us), through a sequence."""
        window = (organization_id, start_us, end_us, through_seq)
        yield from self._stream(queries.EVENTS_OF_WINDOW, window)

    def read_log(self, wanted: LogFilter, limit: int) -> list[LoggedEvent]:
        """Events that are wanted, newest first."""
        text, values = log_statement(wanted, queries.COLUMNS, self._contains)
        with self._reading(wanted.organization_id) as reader:
            return [logged(row) for row in reader.execute(text, [*values, limit])]

    def find_event(self, organization_id: str, event_id: str) -> LoggedEvent | None:
        """The event with an id, None when there is none."""
        with self._reading(organization_id) as reader:
            found = reader.execute(self._find_event, (organization_id, event_id)).fetchone()
        return logged(found) if found else None

    def intents(self) -> list[Intent]:
        """Requests without an outcome, oldest first."""
        with self._reading() as reader:
            return [Intent(*row) for row in reader.execute(queries.INTENTS)]

    def organizations(self) -> list[str]:
        """Ids of all organizations that have events."""
        with self._reading() as reader:
            return [row[0] for row in reader.execute(self._organizations)]

    def event_time_range(self, organization_id: str) -> tuple[int, int] | None:
        """Earliest and latest event time in µs, None without events."""
        with self._reading(organization_id) as reader:
            (first,) = reader.execute(queries.FIRST_EVENT_TIME, (organization_id,)).fetchone()
            if first is None:
                return None
            (last,) = reader.execute(queries.LAST_EVENT_TIME, (organization_id,)).fetchone()
        return first, last

    def count_events(self, through_seq: int) -> int:
        """Number of stored events up to a sequence number."""
        with self._reading() as reader:
            return int(reader.execute(queries.COUNT_EVENTS, (through_seq,)).fetchone()[0])

    def count_conflicts(self) -> int:
        """Number of events refused because their id was taken by a different event."""
        with self._reading() as reader:
            return int(reader.execute(queries.COUNT_CONFLICTS).fetchone()[0])


def _runs(heads: Sequence[Any]) -> Iterator[list[Any]]:
    """Heads of batches that follow each other, together up to READ_EVENTS or one."""
    run: list[Any] = []
    count = 0
    for head in heads:
        size = head[2] - head[1] + 1
        if run and count + size > READ_EVENTS:
            yield run
            run, count = [], 0
        run.append(head)
        count += size
    if run:
        yield run

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
    StoredBatch,
    batch_checksum,
)
from outlay.storage.tenant import EVERY_TENANT

READ_EVENTS: Final = 5_000
"""Events read at a time: batches are often of a few events only."""


Conflict = tuple[Any, ...]
"""A row of usage_conflict without its id."""


class Rows(Protocol):
    """What a statement found."""

    def fetchone(self) -> Any:
        """The next row, None after the last."""
        ...

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...

    def close(self) -> None:
        """Release what is left of them."""
        ...


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
        for stored in self.read_stored(after_seq, limit):
            yield Batch(*stored[:4], stored.rows)

    def read_stored(self, after_seq: int, limit: int = 5_000) -> Iterator[StoredBatch]:
        """The same with what their checksums are proven by."""
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
            for head in run:
                _, first, last, *_ = head
                start, end = bisect_left(sequences, first), bisect_right(sequences, last)
                batch = StoredBatch._make([*head, rows[start:end]])
                if first != expected or not is_intact(previous, batch):
                    raise Damaged(
                        f"batch {batch.batch_id} of the ledger (events {first} to {last}) does not "
                        "match its checksum; restore it from a backup",
                        code="ledger-checksum",
                    )
                previous, expected = batch.checksum, last + 1
                yield batch

    def read_all(self, through_seq: int) -> Iterator[StoredBatch]:
        """All batches up to the one that ends at a sequence number; Damaged without that one."""
        position, found = 0, True
        while position < through_seq and found:
            found = False
            for batch in self.read_stored(position):
                if batch.last_seq > through_seq:
                    return
                position, found = batch.last_seq, True
                yield batch
        if position < through_seq:
            raise Damaged(
                f"the ledger ends at event {position}, not at {through_seq}; restore it from a "
                "backup",
                code="ledger-tail",
            )

    def read_edition(self) -> str:
        """Which ledger this is, and in which wording of its rows."""
        with self._reading() as reader:
            (ledger_id, _) = reader.execute(queries.IDENTITY).fetchone()
            (rewrites,) = reader.execute(queries.REWRITES).fetchone()
        return f"{ledger_id}.{rewrites}"

    def read_last_seq(self) -> int:
        """Sequence number of the last event that has been committed, 0 when there is none."""
        with self._reading() as reader:
            last = reader.execute(queries.LAST_BATCH).fetchone()
        return int(last[1]) if last else 0

    def read_conflicts(self) -> list[Conflict]:
        """What was refused because its id was taken by something else, as it is on record."""
        with self._reading() as reader:
            return [tuple(row) for row in reader.execute(queries.ALL_CONFLICTS)]

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


def is_intact(previous: bytes, batch: StoredBatch) -> bool:
    """Whether the rows of a batch are those that its checksum was made of, after another one."""
    width, rows = batch.row_width, batch.rows
    covered = rows if width == len(ROW_COLUMNS) else [row[:width] for row in rows]
    is_whole = len(rows) == batch.last_seq - batch.first_seq + 1
    return is_whole and batch_checksum(previous, covered) == (batch.restated or batch.checksum)


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

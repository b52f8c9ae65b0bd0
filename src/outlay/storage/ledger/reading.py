"""Reading the ledger, on a connection of each thread's own: batches, windows, single events."""

import threading
from collections.abc import Iterator
from pathlib import Path

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
from outlay.storage.sqlite import Connection, connect


class LedgerReader:
    """What has been committed. Thread-safe."""

    def __init__(self, path: Path) -> None:
        """Read the ledger at `path`, which must be there by the first question."""
        self._path = path
        self._readers = threading.local()
        self._open_readers: list[Connection] = []
        self._opening = threading.Lock()

    def _reader(self) -> Connection:
        """This thread's own read connection."""
        connection: Connection | None = getattr(self._readers, "connection", None)
        if connection is None:
            connection = connect(self._path, read_only=True)
            self._readers.connection = connection
            with self._opening:
                self._open_readers.append(connection)
        return connection

    def close_readers(self) -> None:
        """Release the connections of all threads."""
        for reader in self._open_readers:
            reader.close()

    def read_batches(self, after_seq: int, limit: int = 5_000) -> Iterator[Batch]:
        """Up to `limit` whole batches after `after_seq`, each checked against its checksum.

        Raises Damaged, naming the batch, when stored rows are not what was written.
        """
        reader = self._reader()
        heads = reader.execute(queries.BATCHES_AFTER, (after_seq, limit)).fetchall()
        previous: bytes | None = None
        expected = after_seq + 1
        for batch_id, first_seq, last_seq, recorded_at_us, checksum, width, restated in heads:
            if previous is None:
                found = reader.execute(queries.CHECKSUM_BEFORE, (batch_id,)).fetchone()
                previous = found[0] if found else GENESIS
            rows = reader.execute(queries.EVENTS_BETWEEN, (first_seq, last_seq)).fetchall()
            intact = first_seq == expected and len(rows) == last_seq - first_seq + 1
            covered = rows if width == len(ROW_COLUMNS) else [row[:width] for row in rows]
            if not intact or batch_checksum(previous, covered) != (restated or checksum):
                raise Damaged(
                    f"batch {batch_id} of the ledger (events {first_seq} to {last_seq}) does not "
                    "match its checksum; restore it from a backup",
                    code="ledger-checksum",
                )
            previous, expected = checksum, last_seq + 1
            yield Batch(batch_id, first_seq, last_seq, recorded_at_us, rows)

    def read_window(
        self, organization_id: str, start_us: int, end_us: int, through_seq: int
    ) -> Iterator[EventRow]:
        """Rows of an organization with event time in [start_us, end_us), through a sequence."""
        found = self._reader().execute(
            queries.EVENTS_OF_WINDOW, (organization_id, start_us, end_us, through_seq)
        )
        yield from found

    def read_log(self, wanted: LogFilter, limit: int) -> list[LoggedEvent]:
        """Events that are wanted, newest first."""
        text, values = log_statement(wanted, queries.COLUMNS)
        return [logged(row) for row in self._reader().execute(text, [*values, limit])]

    def find_event(self, organization_id: str, event_id: str) -> LoggedEvent | None:
        """The event with an id, None when there is none."""
        found = self._reader().execute(queries.EVENT, (organization_id, event_id)).fetchone()
        return logged(found) if found else None

    def intents(self) -> list[Intent]:
        """Requests without an outcome, oldest first."""
        return [Intent(*row) for row in self._reader().execute(queries.INTENTS)]

    def organizations(self) -> list[str]:
        """Ids of all organizations that have events."""
        return [row[0] for row in self._reader().execute(queries.ORGANIZATIONS)]

    def event_time_range(self, organization_id: str) -> tuple[int, int] | None:
        """Earliest and latest event time in µs, None without events."""
        reader = self._reader()
        (first,) = reader.execute(queries.FIRST_EVENT_TIME, (organization_id,)).fetchone()
        if first is None:
            return None
        (last,) = reader.execute(queries.LAST_EVENT_TIME, (organization_id,)).fetchone()
        return first, last

    def count_events(self, through_seq: int) -> int:
        """Number of stored events up to a sequence number."""
        return int(self._reader().execute(queries.COUNT_EVENTS, (through_seq,)).fetchone()[0])

    def count_conflicts(self) -> int:
        """Number of events refused because their id was taken by other content."""
        return int(self._reader().execute(queries.COUNT_CONFLICTS).fetchone()[0])

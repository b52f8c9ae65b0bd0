"""Reading the ledger: batches, windows, single events; common to all engines."""

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import chain, groupby
from typing import Any, Final

from outlay.domain.amendment import root_of
from outlay.domain.answers import Totals
from outlay.domain.duplicate import MIN_TOKENS, Candidate
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged
from outlay.domain.event import UsageEvent
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.same_answer import APART_US, MAX_REPORTS
from outlay.kit.batches import batched
from outlay.kit.clock import FOREVER_US
from outlay.storage.ledger import queries
from outlay.storage.ledger.batches import (
    READ_EVENTS,
    by_batch,
    damaged,
    is_intact,
    read_run,
    runs_of,
)
from outlay.storage.ledger.checking import BatchHead, CheckedBatches
from outlay.storage.ledger.connection import Connection, Lookup
from outlay.storage.ledger.cost_rows import COSTS_OF_WINDOW, CostRow
from outlay.storage.ledger.log import (
    LogFilter,
    LoggedEvent,
    LogOrder,
    LogPosition,
    alike_statement,
    events_statement,
    logged,
    positions_statement,
    read_sums,
    sums_statement,
)
from outlay.storage.ledger.marks import Marks, marks_statement, read_marks
from outlay.storage.ledger.rows import (
    COLUMN,
    GENESIS,
    Batch,
    EventRow,
    Intent,
    StoredBatch,
    from_row,
)
from outlay.storage.row_level_security import EVERY_TENANT

MAX_ALIKE: Final = 5_000
MAX_COMPARED: Final = 100_000
"""Maximum number of requests searched for duplicates."""

Conflict = tuple[Any, ...]
"""A row of usage_conflict without its id."""


_EVENT_ID: Final = COLUMN["event_id"]
_TIME: Final = COLUMN["event_time_us"]


class LedgerReader(ABC):
    """Reads committed data. Thread-safe.

    Everything that is shown or summed has been checked: every returned row belongs to a batch whose
    checksum matches.
    """

    def __init__(self) -> None:
        self._checked = CheckedBatches()

    # Differences between engines.
    _contains: str = "instr"
    """The function for the position of a text in another, 0 for none."""
    _find_event: str = queries.EVENT
    _lookup: Lookup
    _organizations: str = queries.ORGANIZATIONS

    @abstractmethod
    def _reading(self, tenant: str = EVERY_TENANT) -> AbstractContextManager[Connection]:
        """A connection for this thread; restricted to one organization if `tenant` names it."""

    @abstractmethod
    def snapshot(self, tenant: str = EVERY_TENANT) -> AbstractContextManager[Connection]:
        """Like `_reading`, but all statements see the ledger at one instant."""

    @abstractmethod
    def _see_all(self, reader: Connection) -> None:
        """Let the current snapshot see the rows of all organizations."""

    def read_batches(self, after_seq: int, limit: int = 5_000) -> Iterator[Batch]:
        """Up to `limit` complete batches after `after_seq`, each checked against its checksum.

        Raises Damaged, naming the batch, if stored rows do not match it.
        """
        for stored in self.read_stored(after_seq, limit):
            yield Batch(*stored[:4], stored.rows)

    def read_stored(self, after_seq: int, limit: int = 5_000) -> Iterator[StoredBatch]:
        """Like `read_batches`, with the checksum data of each batch."""
        with self._reading() as reader:
            heads = reader.execute(queries.BATCHES_AFTER, (after_seq, limit)).fetchall()
            if not heads:
                return
            found = reader.execute(queries.CHECKSUM_BEFORE, (heads[0][0],)).fetchone()
        previous: bytes = found[0] if found else GENESIS
        expected = after_seq + 1
        for run in runs_of(heads):
            with self._reading() as reader:
                window = (run[0][1], run[-1][2])
                rows = reader.execute(queries.EVENTS_BETWEEN, window).fetchall()
            sequences = [row[0] for row in rows]
            for head in run:
                _, first, last, *_ = head
                start, end = bisect_left(sequences, first), bisect_right(sequences, last)
                batch = StoredBatch._make([*head, rows[start:end]])
                if first != expected or not is_intact(previous, batch):
                    raise damaged(batch.batch_id, first, last)
                previous, expected = batch.checksum, last + 1
                yield batch

    def read_all(self, through_seq: int, after_seq: int = 0) -> Iterator[StoredBatch]:
        """All batches up to the one that ends at a sequence number; raises Damaged if there is
        none.

        `after_seq` is the end of the batch before the first one.
        """
        position, found = after_seq, True
        while position < through_seq and found:
            found = False
            for batch in self.read_stored(position):
                if batch.last_seq > through_seq:
                    return
                position, found = batch.last_seq, True
                yield batch
        if position < through_seq:
            raise Damaged(
                f"The ledger ends at event {position}, not at {through_seq}. Restore a backup.",
                code=ErrorCode.LEDGER_TAIL,
            )

    def recorded_from(self, after_seq: int, through_seq: int) -> int:
        """When the earliest batch of a range of sequence numbers was recorded, in µs."""
        with self._reading() as reader:
            (found,) = reader.execute(queries.RECORDED_FROM, (after_seq, through_seq)).fetchone()
        return FOREVER_US if found is None else int(found)

    def end_of_batch(self, seq: int) -> int:
        """The last sequence number of the batch that an event is in."""
        with self._reading() as reader:
            return int(reader.execute(queries.END_OF_BATCH, (seq,)).fetchone()[0])

    def read_edition(self) -> str:
        """The ledger's id and its number of rewrites: the edition that a cube is built from."""
        with self._reading() as reader:
            (ledger_id, _) = reader.execute(queries.IDENTITY).fetchone()
            (rewrites,) = reader.execute(queries.REWRITES).fetchone()
        return f"{ledger_id}.{rewrites}"

    def read_last_seq(self) -> int:
        """Sequence number of the last committed event, 0 if there is none."""
        with self._reading() as reader:
            last = reader.execute(queries.LAST_BATCH).fetchone()
        return int(last[1]) if last else 0

    def read_conflicts(self) -> list[Conflict]:
        """Recorded conflicts: events that were refused because their id exists with other
        content.
        """
        with self._reading() as reader:
            return [tuple(row) for row in reader.execute(queries.ALL_CONFLICTS)]

    def read_window(
        self, organization_id: OrganizationId, start_us: int, end_us: int, through_seq: int
    ) -> list[EventRow]:
        """Rows of an organization with event time in [start_us, end_us), up to a sequence number.

        All in memory: only for short windows.
        """
        window = (organization_id, start_us, end_us, through_seq)
        with self._reading() as reader:
            return reader.execute(queries.EVENTS_OF_WINDOW, window).fetchall()

    def read_costs(
        self, organization_id: OrganizationId, start_us: int, end_us: int, through_seq: int
    ) -> Iterator[list[CostRow]]:
        """The cost columns of a window, in pages by time."""
        time_us, seq = start_us, -1
        while True:
            window = (organization_id, time_us, end_us, time_us, seq, through_seq, READ_EVENTS)
            with self._reading(organization_id) as reader:
                rows = [*map(CostRow._make, reader.execute(COSTS_OF_WINDOW, window))]
            if rows:
                yield rows
            if len(rows) < READ_EVENTS:
                return
            seq, time_us = rows[-1].seq, rows[-1].event_time_us

    def read_positions(
        self, wanted: LogFilter, order: LogOrder, after: LogPosition | None, limit: int
    ) -> list[LogPosition]:
        """The positions of the first matching events in an order, after a position."""
        text, values = positions_statement(wanted, order, after, self._contains)
        with self._reading(wanted.organization_id) as reader:
            found = reader.execute(text, [*values, limit]).fetchall()
        return [LogPosition(*row) for row in found]

    def read_sums(self, wanted: LogFilter) -> Totals:
        """The sums of all matching events, in QUALITY_MEASURES; others are 0."""
        text, values = sums_statement(wanted, self._contains)
        with self._reading(wanted.organization_id) as reader:
            return read_sums(reader.execute(text, values).fetchone())

    def read_marks(self, wanted: LogFilter) -> list[Marks]:
        """The data quality marks of the matching events: only for short windows."""
        text, values = marks_statement(wanted, self._contains)
        with self._reading(wanted.organization_id) as reader:
            return read_marks(reader.execute(text, values).fetchall())

    def read_logged(
        self, organization_id: OrganizationId, positions: Sequence[LogPosition]
    ) -> list[LoggedEvent]:
        """The events at positions, in their order; raises Damaged if one of their batches is
        damaged."""
        if not positions:
            return []
        text, values = events_statement(positions, queries.COLUMNS)
        with self.snapshot(organization_id) as reader:
            rows = reader.execute(text, values).fetchall()
            self._check(reader, rows)
        found = {row[0]: row for row in rows}
        return [logged(found[position.seq]) for position in positions if position.seq in found]

    def read_history(self, organization_id: OrganizationId, event_id: EventId) -> list[LoggedEvent]:
        """All rows of an event in order: as reported, voided, restated; empty if there are none.

        `event_id` is the reported id. Raises Damaged if one of their batches is damaged.
        """
        with self.snapshot(organization_id) as reader:
            return [logged(row) for row in self._history(reader, organization_id, event_id)]

    def read_rows(self, organization_id: OrganizationId, event_id: EventId) -> list[UsageEvent]:
        """Like `read_history`, each row under its own id."""
        with self.snapshot(organization_id) as reader:
            return [from_row(row) for row in self._history(reader, organization_id, event_id)]

    def read_alike(
        self, organization_id: OrganizationId, start_us: int, end_us: int, through_seq: int
    ) -> list[Candidate]:
        """Possible duplicates in a time window: similar requests of different sources, in order.

        Up to MAX_ALIKE, among the newest MAX_COMPARED. Not checked against checksums: they are
        candidates only.
        """
        wanted = LogFilter(
            organization_id=organization_id,
            start_us=start_us,
            end_us=end_us,
            through_seq=through_seq,
        )
        text, values = alike_statement(wanted, self._contains)
        with self._reading(organization_id) as reader:
            found = reader.execute(text, [*values, MIN_TOKENS, MAX_COMPARED, MAX_ALIKE]).fetchall()
        return [Candidate(*row) for row in found]

    def read_restated(
        self, organization_id: OrganizationId, start_us: int, end_us: int, amendment_id: str
    ) -> Iterator[list[UsageEvent]]:
        """The rows of each event in a time window that an amendment restated."""
        window = (organization_id, start_us, end_us, amendment_id)
        with self._reading(organization_id) as reader:
            found = reader.execute(queries.RESTATED_BY, window).fetchall()
        for time_us, some in groupby(found, key=lambda row: row[0]):
            histories: dict[str, list[EventRow]] = {root_of(event_id): [] for _, event_id in some}
            with self.snapshot(organization_id) as reader:
                for row in reader.execute(queries.EVENTS_AT, (organization_id, time_us)):
                    if (history := histories.get(root_of(row[_EVENT_ID]))) is not None:
                        history.append(row)
                for part in batched(chain.from_iterable(histories.values()), READ_EVENTS):
                    self._check(reader, part)
            for rows in histories.values():
                yield [from_row(row) for row in rows]

    def _history(
        self, reader: Connection, organization_id: OrganizationId, event_id: EventId
    ) -> list[EventRow]:
        rows = reader.execute(self._find_event, (organization_id, event_id)).fetchall()
        if rows:
            place = (organization_id, rows[0][_TIME], event_id)
            rows = [
                row
                for row in reader.execute(queries.VERSIONS_AT, place)
                if root_of(row[_EVENT_ID]) == event_id
            ]
        self._check(reader, rows)
        return rows

    def read_reports(self, event: UsageEvent) -> list[UsageEvent]:
        """All rows that report the event's answer, including its own.

        Empty if more rows share the id than one answer can have.
        """
        if not event.response_id:
            return []
        window = (event.event_time_us - APART_US, event.event_time_us + APART_US)
        with self.snapshot(event.organization_id) as reader:
            rows = reader.execute(
                queries.events_of_answers(self._lookup.time, 1),
                (event.organization_id, *window, event.response_id, MAX_REPORTS + 1),
            ).fetchall()
            if len(rows) > MAX_REPORTS:
                return []
            self._check(reader, rows)
        return [from_row(row) for row in rows]

    def _check(self, reader: Connection, rows: Sequence[EventRow]) -> None:
        """Raise Damaged unless rows belong to batches with valid checksums.

        `reader` is the snapshot that the rows were read in: batches may be restated in the
        meantime.
        """
        if not rows:
            return
        found = reader.execute(queries.heads_of(len(rows)), [row[0] for row in rows])
        heads = [BatchHead._make(head) for head in found]
        shown = by_batch(heads, {row[0]: row for row in rows})
        doubted = [head for head in heads if not self._checked.vouches_for(head, shown[head])]
        if not doubted:
            return
        self._see_all(reader)
        for run in runs_of(doubted):
            for head, stored in read_run(reader, run):
                is_right = stored is not None and all(
                    stored[row[0] - head.first_seq] == row for row in shown[head]
                )
                if stored is None or not is_right:
                    raise damaged(head.batch_id, head.first_seq, head.last_seq)
                self._checked.add(head, stored)

    def intents(self) -> list[Intent]:
        """Requests without an outcome, oldest first."""
        with self._reading() as reader:
            return [Intent(*row) for row in reader.execute(queries.INTENTS)]

    def organizations(self) -> list[str]:
        """Ids of all organizations with events."""
        with self._reading() as reader:
            return [row[0] for row in reader.execute(self._organizations)]

    def event_time_range(self, organization_id: OrganizationId) -> tuple[int, int] | None:
        """Earliest and latest event time in µs, None without events."""
        with self._reading(organization_id) as reader:
            (first,) = reader.execute(queries.FIRST_EVENT_TIME, (organization_id,)).fetchone()
            if first is None:
                return None
            (last,) = reader.execute(queries.LAST_EVENT_TIME, (organization_id,)).fetchone()
        return first, last

    def count_requests(self, through_seq: int) -> int:
        """Number of requests up to a sequence number: events minus voided ones."""
        with self._reading() as reader:
            found = reader.execute(queries.COUNT_REQUESTS, (through_seq, through_seq))
            return int(found.fetchone()[0])

    def count_mentions(
        self, organization_id: OrganizationId, wanted: Sequence[str]
    ) -> dict[str, int]:
        """The number of events in which each sender-provided text contains one of some texts,
        ignoring case.

        Texts without any are left out.
        """
        text = queries.count_mentions(self._contains, len(wanted))
        values = [*(each.lower() for each in wanted)] * len(queries.SENT_TEXTS)
        with self._reading(organization_id) as reader:
            row = reader.execute(text, (*values, organization_id)).fetchone()
        return {
            f"usage_event.{name}": count
            for name, count in zip(queries.SENT_TEXTS, row, strict=True)
            if count
        }

"""The ledger on PostgreSQL: written by many nodes, one transaction at a time.

A writer holds an advisory lock from reading the end of the chain to the commit. So sequence numbers
are in commit order: a reader that has read up to one has not missed a lower one that was committed
later. Nodes commit everything submitted in the meantime, so the lock is taken a few hundred times a
second, not once per event.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from typing import ClassVar, Final

import psycopg
from typing_extensions import override

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Unavailable
from outlay.domain.event import UsageEvent
from outlay.domain.outcome import Outcome
from outlay.kit.clock import Clock, to_us
from outlay.kit.worker import Worker
from outlay.storage.ledger import queries
from outlay.storage.ledger.answers import settle_answers
from outlay.storage.ledger.postgres.adoption import adopt_contents
from outlay.storage.ledger.postgres.intents import (
    drop_intents,
    intents_of,
    orphaned_intents,
    put_intents,
    write_heartbeat,
)
from outlay.storage.ledger.postgres.keys import take_keys
from outlay.storage.ledger.postgres.opening import END, HEAD, SCHEMA, check_end, prepare_tables
from outlay.storage.ledger.postgres.partitions import Partitions, copy_events
from outlay.storage.ledger.postgres.reading import PostgresReading
from outlay.storage.ledger.postgres.spending import PostgresSpending
from outlay.storage.ledger.postgres.write_ahead_buffer import WriteAheadBuffer
from outlay.storage.ledger.rows import (
    GENESIS,
    ROW_COLUMNS,
    Batch,
    EventRow,
    Intent,
    batch_checksum,
    to_row,
)
from outlay.storage.ledger.schema import BeforeUpgrade, Schema, announce
from outlay.storage.ledger.store import (
    MAX_COMMIT_EVENTS,
    Committed,
    Ledger,
    LedgerContents,
    Settled,
)
from outlay.storage.postgres import (
    LEDGER_LOCK,
    LOCK,
    MarkedConnection,
    PostgresDatabase,
    away,
    enter_all,
)
from outlay.storage.row_level_security import EVERY_TENANT

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.25
"""How often a node checks for commits of other nodes."""

SIGN_SECONDS: Final = 10.0
"""How often a node writes a heartbeat."""


class PostgresLedger(PostgresReading, Ledger):
    """Append-only usage events in one PostgreSQL database. Thread-safe."""

    schema: ClassVar[Schema] = SCHEMA
    spending: PostgresSpending

    def __init__(
        self,
        database: PostgresDatabase,
        clock: Clock,
        *,
        node_id: str,
        buffer: WriteAheadBuffer,
        before_upgrade: BeforeUpgrade = announce,
    ) -> None:
        """Open or create the ledger.

        `node_id` identifies this node's intents, `buffer` takes submissions while the database is
        unreachable. Raises Unavailable without a connection, Damaged if the end of the chain is not
        intact.
        """
        PostgresReading.__init__(self, database)
        Ledger.__init__(self, clock)
        self._node_id = node_id
        self._writer: MarkedConnection | None = MarkedConnection(database.connect())
        self._partitions = Partitions()
        self.spending = PostgresSpending(self._locked)
        self._looks = count()
        self._last_look = -1
        self._known_at = clock.now()
        self._buffer = buffer
        self._is_unreachable = False
        self._outdated: str | None = None
        try:
            self._prepare(self._writer, before_upgrade)
            self._write_heartbeat()
            self._drain()
        except BaseException:
            self._drop_writer()
            raise
        self._watch = Worker("ledger-watch", self._look_out)
        self._begin_writing()
        self._watch.start()

    def _prepare(self, writer: MarkedConnection, before_upgrade: BeforeUpgrade = announce) -> None:
        prepare_tables(writer, self._clock, self.schema, before_upgrade)
        self.ledger_id, self._last_seq, self._rewrites = check_end(writer)

    def _check_version(self, version: int) -> None:
        """Raise Unavailable if another node has upgraded the tables.

        Submissions are buffered for the newer version that will be started in place of this one.
        """
        if version > self.schema.version:
            self._outdated = (
                f"Another node has upgraded the ledger to schema {version}, but this one supports "
                f"schema {self.schema.version}. Install the newer version and restart."
            )
            raise Unavailable(self._outdated, code=ErrorCode.LEDGER_TOO_NEW)

    @property
    @override
    def failure(self) -> str | None:
        return self._outdated or super().failure

    @property
    @override
    def refusal(self) -> str | None:
        if self._is_unreachable and self._buffer.is_full:
            return "The database is unreachable and the local write-ahead buffer is full."
        return super().refusal

    @override
    @contextmanager
    def _locked(self) -> Iterator[MarkedConnection]:
        """A transaction with the ledger's lock, on another connection than the writer's."""
        with self._database.reading(EVERY_TENANT) as connection:
            connection.execute(LOCK, (LEDGER_LOCK,))
            yield connection
            connection.raw.commit()

    @override
    def newest_seq(self) -> int:
        """Sequence number of the last event acknowledged by any node before this call."""
        look, instant = next(self._looks), self._clock.now()
        with self._reading() as reader:
            seq, rewrites, version = reader.execute(HEAD).fetchone()
        self._check_version(version)
        if rewrites > self._rewrites:  # by another node: rows in memory are outdated
            self._recent.clear()
        with self._committed:
            if look > self._last_look:  # not the later instant: clocks can be set back
                self._last_look, self._known_at = look, instant
            self._last_seq = max(self._last_seq, seq)
            self._rewrites = max(self._rewrites, rewrites)
            self._committed.notify_all()
        return int(seq)

    @property
    @override
    def known_at(self) -> datetime:
        """Every event acknowledged before this instant is at or before `last_seq`."""
        return self._known_at

    @override
    def intents(self) -> list[Intent]:
        """This node's requests without an outcome, oldest first."""
        with self._reading() as reader:
            return intents_of(reader, self._node_id)

    @override
    def orphans(self) -> list[Intent]:
        """Requests without an outcome of nodes that are gone."""
        with self._reading() as reader:
            return orphaned_intents(reader)

    def _look_out(self, stop: threading.Event) -> None:
        """Poll for commits of other nodes and for the database's availability."""
        sign_due = 0.0
        while not stop.wait(POLL_SECONDS):
            try:
                self.newest_seq()
                self._is_unreachable = False
                if time.monotonic() >= sign_due:
                    self._write_heartbeat()
                    sign_due = time.monotonic() + SIGN_SECONDS
            except Unavailable as error:
                logger.debug("%s", error.message)

    def _write_heartbeat(self) -> None:
        """Record that this node is alive."""
        with self._database.reading(EVERY_TENANT) as connection:
            write_heartbeat(connection, self._node_id)
            connection.raw.commit()

    # Writing

    @override
    def _refusal(self, error: Exception) -> Exception:
        return away(error) if isinstance(error, psycopg.Error) else error

    @override
    def commit(
        self, events: Sequence[UsageEvent], intents: Sequence[Intent], settled: Sequence[Settled]
    ) -> Committed:
        """Commit to the database, or to the write-ahead buffer while the database is unreachable or
        the buffer is not empty.

        If the result of a commit was lost, the retry finds its events, which are then reported as
        duplicates.
        """
        if self._is_unreachable and self._writer is None:
            return self._buffer_commit(events, intents, settled)
        try:
            self._drain()
            return self._commit_with(self._connected(), events, intents, settled)
        except (psycopg.OperationalError, Unavailable) as error:
            self._lose(error)
        try:
            self._drain()
            return self._commit_with(self._connected(), events, intents, settled)
        except (psycopg.OperationalError, Unavailable) as error:
            self._lose(error)
            return self._buffer_commit(events, intents, settled)

    def _connected(self) -> MarkedConnection:
        """The writer's connection; raises Unavailable without one."""
        if self._writer is None:
            self._writer = MarkedConnection(self._database.connect())
        return self._writer

    def _lose(self, error: Exception) -> None:
        """Note that the database is unreachable."""
        self._drop_writer()
        if not self._is_unreachable:
            known = error if isinstance(error, Unavailable) else away(error)
            logger.warning("events go to the write-ahead buffer: %s", known.message)
        self._is_unreachable = True

    def _buffer_commit(
        self, events: Sequence[UsageEvent], intents: Sequence[Intent], settled: Sequence[Settled]
    ) -> Committed:
        """Buffer a commit; spend limits cannot be checked without the database."""
        limited = [intent for intent in intents if intent.holds]
        unlimited = [intent for intent in intents if not intent.holds]
        self._buffer.append(events, unlimited, settled)
        unweighed = Unavailable(
            "The database is unreachable, so spend limits cannot be checked. Try again in a "
            "moment.",
            code=ErrorCode.DATABASE_AWAY,
        )
        return Committed(
            [Outcome.ACCEPTED] * len(events), {intent[:2]: unweighed for intent in limited}
        )

    def _drain(self) -> None:
        """Move the buffered commits to the database, in order, many at a time."""
        if self._buffer.is_empty:
            return
        while not self._buffer.is_empty:
            last_id, entry = self._buffer.oldest(MAX_COMMIT_EVENTS)
            intents = [Intent(*intent) for intent in entry.intents]
            self._commit_with(self._connected(), entry.events, intents, entry.settled)
            self._buffer.drop_through(last_id)
        logger.warning("the write-ahead buffer has been drained into the database")

    _idle_seconds = 1.0

    @override
    def _idle(self) -> None:
        """Drain the buffer when the database is reachable again."""
        if not self._is_unreachable:
            try:
                self._drain()
            except (psycopg.OperationalError, Unavailable) as error:
                self._lose(error)

    @property
    @override
    def buffered(self) -> int:
        """Buffered events and intents."""
        return self._buffer.size

    def _drop_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.raw.close()

    def _commit_with(
        self,
        writer: MarkedConnection,
        events: Sequence[UsageEvent],
        intents: Sequence[Intent],
        settled: Sequence[Settled],
    ) -> Committed:
        now_us = to_us(self._clock.now())
        outcomes: list[Outcome] = []
        batch: Batch | None = None
        self._partitions.create(writer, (event.event_time_us for event in events))
        with writer.raw.transaction():
            enter_all(writer)
            if events or any(intent.holds for intent in intents):
                # Commits are ordered by this lock. Intents without limits need no order.
                writer.execute(LOCK, (LEDGER_LOCK,))
            if events:
                batch, outcomes = self._store(writer, events, now_us)
            drop_intents(writer, settled)
            admission = self.spending.admit(writer, intents, now_us)
            # An intent settled in the same commit need not be recorded.
            gone = {*admission.refused, *settled}
            let_through = [intent for intent in intents if intent[:2] not in gone]
            put_intents(writer, self._node_id, let_through)
            self.spending.hold(writer, admission.holds)
        if batch is not None:
            self._tell(batch)
        return Committed(outcomes, admission.refused)

    def _store(
        self,
        writer: MarkedConnection,
        events: Sequence[UsageEvent],
        now_us: int,
    ) -> tuple[Batch | None, list[Outcome]]:
        """Store the new ones of some events as the next batch; returns the outcomes of all."""

        def check(rows: Sequence[EventRow]) -> None:
            self._check(writer, rows)

        end = writer.execute(END).fetchone() or (0, 0, 0, GENESIS)
        version, last_batch_id, last_seq, chain = end
        self._check_version(version)
        submitted = settle_answers(writer, events, self._lookup, self._common, check)
        drafts = [to_row(event, 0, now_us) for event in submitted.events]
        outcomes = [Outcome.ACCEPTED] * len(drafts)
        fresh = take_keys(writer, submitted.events, drafts, outcomes)
        sequence = count(last_seq + 1)
        rows = [(next(sequence), *draft[1:]) for draft in fresh]
        if not rows:
            return None, submitted.outcomes(outcomes)
        copy_events(writer, rows)
        batch = Batch(last_batch_id + 1, rows[0][0], rows[-1][0], now_us, rows)
        checksum = batch_checksum(chain or GENESIS, rows)
        head = (batch.batch_id, batch.first_seq, batch.last_seq, now_us, checksum)
        writer.execute(queries.INSERT_BATCH, (*head, len(ROW_COLUMNS)))
        self.spending.count(writer, rows)
        return batch, submitted.outcomes(outcomes)

    @override
    def _adopt(self, contents: LedgerContents) -> None:
        try:
            writer = self._connected()
            with writer.raw.transaction():
                enter_all(writer)
                writer.execute(LOCK, (LEDGER_LOCK,))
                adopt_contents(writer, contents, self._partitions, self._node_id)
        except psycopg.OperationalError as error:
            raise away(error) from error
        finally:
            self._partitions = Partitions()
        self._prepare(writer)

    @override
    def purge(self) -> None:
        """Vacuum old row versions in all partitions."""
        connection = self._database.connect()
        try:
            connection.execute("VACUUM usage_event, usage_conflict")
        except psycopg.OperationalError as error:
            raise away(error) from error
        finally:
            connection.close()

    @override
    def _release(self) -> None:
        self._watch.stop()
        self._drop_writer()
        self._buffer.close()

"""The ledger on PostgreSQL: many nodes write it, one transaction at a time.

Who stores events holds an advisory lock from reading the end of the chain to the commit. So the
order of sequence numbers is the order of commits: whoever has read up to one has not passed over a
lower one that came later. Nodes commit what has come together meanwhile, so the lock is taken a few
hundred times a second, not once per event.
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

from outlay.domain.errors import Unavailable
from outlay.domain.event import UsageEvent
from outlay.domain.outcome import Outcome
from outlay.kit.clock import Clock, to_us
from outlay.kit.worker import Worker
from outlay.storage.ledger import queries
from outlay.storage.ledger.answers import settle_answers
from outlay.storage.ledger.postgres.intents import (
    drop_intents,
    give_sign,
    intents_of,
    orphaned_intents,
    put_intents,
)
from outlay.storage.ledger.postgres.keys import is_taken, put_keys, take_keys
from outlay.storage.ledger.postgres.opening import (
    END,
    HEAD,
    SCHEMA,
    check_end,
    prepare_tables,
)
from outlay.storage.ledger.postgres.partitions import Partitions, copy_events
from outlay.storage.ledger.postgres.reading import PostgresReading
from outlay.storage.ledger.postgres.spending import PostgresSpending
from outlay.storage.ledger.postgres.write_ahead_buffer import Spool
from outlay.storage.ledger.rows import (
    COLUMN,
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

_TIME: Final = COLUMN["event_time_us"]

POLL_SECONDS: Final = 0.25
"""How often a node looks for what others have committed."""

SIGN_SECONDS: Final = 10.0
"""How often a node gives a sign of life."""


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
        spool: Spool,
        before_upgrade: BeforeUpgrade = announce,
    ) -> None:
        """Open or create the ledger.

        `node_id` is whose intents are put on record here, `spool` takes what comes in while the
        database is away. Raises Unavailable without a database, Damaged when the end of the chain
        is not intact.
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
        self._spool = spool
        self._is_away = False
        self._outdated: str | None = None
        try:
            self._prepare(self._writer, before_upgrade)
            self._give_sign()
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
        """Raise Unavailable when another node has upgraded the tables meanwhile.

        What comes in is put aside for the newer Outlay that is started in this one's place.
        """
        if version > self.schema.version:
            self._outdated = (
                f"another node has upgraded the ledger to schema {version}; this Outlay knows "
                f"schema {self.schema.version}: install the newer version and restart"
            )
            raise Unavailable(self._outdated, code="ledger-too-new")

    @property
    @override
    def failure(self) -> str | None:
        return self._outdated or super().failure

    @property
    @override
    def refusal(self) -> str | None:
        if self._is_away and self._spool.is_full:
            return "the database does not answer, and the local journal is full"
        return super().refusal

    @override
    @contextmanager
    def _locked(self) -> Iterator[MarkedConnection]:
        """A transaction beside the writer's, with the ledger's lock."""
        with self._database.reading(EVERY_TENANT) as connection:
            connection.execute(LOCK, (LEDGER_LOCK,))
            yield connection
            connection.raw.commit()

    @override
    def newest_seq(self) -> int:
        """Sequence number of the last event that anybody had acknowledged before this call."""
        look, instant = next(self._looks), self._clock.now()
        with self._reading() as reader:
            seq, rewrites, version = reader.execute(HEAD).fetchone()
        self._check_version(version)
        if rewrites > self._rewrites:  # by another node: what is in memory says what it said before
            self._recent.clear()
        with self._committed:
            if look > self._last_look:  # not the later instant: clocks are set back
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
        """Requests without an outcome that this node let through, oldest first."""
        with self._reading() as reader:
            return intents_of(reader, self._node_id)

    @override
    def orphans(self) -> list[Intent]:
        """Requests without an outcome that nodes let through which are not heard of any more."""
        with self._reading() as reader:
            return orphaned_intents(reader)

    def _look_out(self, stop: threading.Event) -> None:
        """Notice what others commit, and whether the database is there."""
        sign_due = 0.0
        while not stop.wait(POLL_SECONDS):
            try:
                self.newest_seq()
                self._is_away = False
                if time.monotonic() >= sign_due:
                    self._give_sign()
                    sign_due = time.monotonic() + SIGN_SECONDS
            except Unavailable as error:
                logger.debug("%s", error.message)

    def _give_sign(self) -> None:
        """Let others know that this node is there."""
        with self._database.reading(EVERY_TENANT) as connection:
            give_sign(connection, self._node_id)
            connection.raw.commit()

    # Writing

    @override
    def _refusal(self, error: Exception) -> Exception:
        return away(error) if isinstance(error, psycopg.Error) else error

    @override
    def commit(
        self, events: Sequence[UsageEvent], intents: Sequence[Intent], settled: Sequence[Settled]
    ) -> Committed:
        """To the database, or to the local journal while that is away or not emptied yet.

        What the database may have committed without our knowing is found again by the next try:
        events are duplicates then, which is what their senders are told, too.
        """
        if self._is_away and self._writer is None:
            return self._put_aside(events, intents, settled)
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
            return self._put_aside(events, intents, settled)

    def _connected(self) -> MarkedConnection:
        """The writer's connection; raises Unavailable when there is none to be had."""
        if self._writer is None:
            self._writer = MarkedConnection(self._database.connect())
        return self._writer

    def _lose(self, error: Exception) -> None:
        """Take note that the database is away."""
        self._drop_writer()
        if not self._is_away:
            known = error if isinstance(error, Unavailable) else away(error)
            logger.warning("events go to the local journal: %s", known.message)
        self._is_away = True

    def _put_aside(
        self, events: Sequence[UsageEvent], intents: Sequence[Intent], settled: Sequence[Settled]
    ) -> Committed:
        """Keep a commit in the local journal; limits cannot be held to without the database."""
        limited = [intent for intent in intents if intent.holds]
        unlimited = [intent for intent in intents if not intent.holds]
        self._spool.append(events, unlimited, settled)
        unweighed = Unavailable(
            "the database does not answer, so a spend limit cannot be held; try again in a moment",
            code="database-away",
        )
        return Committed(
            [Outcome.ACCEPTED] * len(events), {intent[:2]: unweighed for intent in limited}
        )

    def _drain(self) -> None:
        """Bring what is in the local journal to the database, in its order, many at a time."""
        if self._spool.is_empty:
            return
        while not self._spool.is_empty:
            last_id, entry = self._spool.oldest(MAX_COMMIT_EVENTS)
            intents = [Intent(*intent) for intent in entry.intents]
            self._commit_with(self._connected(), entry.events, intents, entry.settled)
            self._spool.drop_through(last_id)
        logger.warning("the local journal has been emptied into the database")

    _idle_seconds = 1.0

    @override
    def _idle(self) -> None:
        """Empty the local journal when the database is back."""
        if not self._is_away:
            try:
                self._drain()
            except (psycopg.OperationalError, Unavailable) as error:
                self._lose(error)

    @property
    @override
    def journaled(self) -> int:
        """Events and intents that wait in the local journal for the database."""
        return self._spool.size

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
                # The rest waits for this: intents without limits need no order.
                writer.execute(LOCK, (LEDGER_LOCK,))
            if events:
                batch, outcomes = self._store(writer, events, now_us)
            drop_intents(writer, settled)
            admission = self.spending.admit(writer, intents, now_us)
            # One that is settled here already need not be put on record.
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
        """Store the new ones of some events as the next batch; the outcomes of all."""

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
                for batch in contents.checked_batches():
                    self._partitions.create(writer, (row[_TIME] for row in batch.rows))
                    put_keys(writer, batch.rows)
                    copy_events(writer, batch.rows)
                    writer.execute(queries.PUT_BATCH, batch[:7])
                for conflict in contents.conflicts:
                    writer.execute(queries.INSERT_CONFLICT, conflict)
                open_intents = [
                    intent for intent in contents.intents if not is_taken(writer, *intent[:2])
                ]
                put_intents(writer, self._node_id, open_intents)
        except psycopg.OperationalError as error:
            raise away(error) from error
        finally:
            self._partitions = Partitions()
        self._prepare(writer)

    @override
    def purge(self) -> None:
        """Make room of the rows that were there before, in all partitions."""
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
        self._spool.close()

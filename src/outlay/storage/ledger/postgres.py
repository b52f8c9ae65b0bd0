"""The ledger on PostgreSQL: many nodes write it, one transaction at a time.

Who stores events holds an advisory lock from reading the end of the chain to the commit. So the
order of sequence numbers is the order of commits: whoever has read up to one has not passed over a
lower one that came later. Nodes commit what has come together meanwhile, so the lock is taken a few
hundred times a second, not once per event.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

import psycopg
from typing_extensions import override

from outlay.domain.errors import Damaged, Unavailable
from outlay.domain.event import UsageEvent
from outlay.domain.outcome import Outcome
from outlay.domain.spend_limit import limit_reached
from outlay.kit.clock import Clock, from_us, to_us
from outlay.kit.ids import uuid7
from outlay.kit.sqlfiles import load_statements
from outlay.kit.worker import Worker
from outlay.storage.ledger import queries
from outlay.storage.ledger.erasing import restate
from outlay.storage.ledger.postgres_spending import Admission, PostgresSpending
from outlay.storage.ledger.reading import Connection
from outlay.storage.ledger.rows import (
    COLUMN,
    GENESIS,
    ROW_COLUMNS,
    SCHEMA_VERSION,
    Batch,
    EventRow,
    Intent,
    batch_checksum,
    facts_digest,
    facts_json,
    to_row,
)
from outlay.storage.ledger.spool import Spool
from outlay.storage.ledger.store import Committed, Ledger, Settled
from outlay.storage.postgres import (
    ENTER,
    LEDGER_LOCK,
    LOADER_LOCK,
    SCHEMA_LOCK,
    MarkedConnection,
    PostgresDatabase,
    away,
    wall_of,
)
from outlay.storage.tenant import EVERY_TENANT

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.25
"""How often a node looks for what others have committed."""

SIGN_SECONDS: Final = 10.0
"""How often a node gives a sign of life."""

GONE_SECONDS: Final = 2 * 3_600
"""Without a sign for so long a node is gone: what it let through has ended or was broken off, as
nothing lasts longer than an hour; its outcomes are in no journal that is still being written."""

STREAM_ROWS: Final = 2_000

WALLED: Final = (
    "usage_event",
    "usage_event_key",
    "request_intent",
    "usage_conflict",
    "spend_counter",
    "spend_hold",
)

_TIME: Final = COLUMN["event_time_us"]
_DIGEST: Final = COLUMN["facts_digest"]
_ORGANIZATION: Final = COLUMN["organization_id"]
_EVENT: Final = COLUMN["event_id"]

_TAKE_KEYS: Final = (
    "INSERT INTO usage_event_key (organization_id, event_id, facts_digest, event_time_us) "
    "SELECT * FROM unnest(?::text[], ?::text[], ?::bytea[], ?::bigint[]) "
    "ON CONFLICT DO NOTHING RETURNING organization_id, event_id"
)
_KEYS: Final = (
    "SELECT organization_id, event_id, facts_digest FROM usage_event_key "
    "WHERE (organization_id, event_id) IN (SELECT * FROM unnest(?::text[], ?::text[]))"
)
_PUT_INTENTS: Final = (
    "INSERT INTO request_intent (organization_id, event_id, begun, node_id) "
    "SELECT organization_id, event_id, begun, ? "
    "FROM unnest(?::text[], ?::text[], ?::bytea[]) AS given (organization_id, event_id, begun) "
    "ON CONFLICT DO NOTHING"
)
_DROP_INTENTS: Final = (
    "DELETE FROM request_intent "
    "WHERE (organization_id, event_id) IN (SELECT * FROM unnest(?::text[], ?::text[]))"
)
_MY_INTENTS: Final = (
    "SELECT organization_id, event_id, begun FROM request_intent WHERE node_id = ? "
    "ORDER BY event_id"
)
_ORPHANS: Final = (
    "SELECT organization_id, event_id, begun FROM request_intent WHERE node_id IN "
    "(SELECT node_id FROM node WHERE seen_at < now() - make_interval(secs => ?)) "
    "ORDER BY event_id LIMIT 1000"
)
_SIGN: Final = (
    "INSERT INTO node (node_id, seen_at) VALUES (?, now()) "
    "ON CONFLICT (node_id) DO UPDATE SET seen_at = excluded.seen_at"
)
_ALONE: Final = "SELECT pg_try_advisory_lock(hashtext(%s))"
_LEAD: Final = f"SELECT pg_try_advisory_lock({LOADER_LOCK})"
_HAS_LEDGER: Final = "SELECT to_regclass('ledger_identity')"
_PARTITIONS: Final = (
    "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'usage_event'::regclass"
)
_HEAD: Final = (
    "SELECT coalesce(max(last_seq), 0), (SELECT rewrites FROM ledger_identity) FROM usage_batch"
)
_LOCK: Final = "SELECT pg_advisory_xact_lock(?)"

_Key = tuple[str, str]
"""Organization and event id."""


class PostgresLedger(Ledger):
    """Append-only usage events in one PostgreSQL database. Thread-safe."""

    spending: PostgresSpending
    _contains = "strpos"
    _find_event = queries.EVENT + (  # noqa: S608 - constants
        " AND event_time_us = (SELECT key.event_time_us FROM usage_event_key AS key "
        "WHERE key.organization_id = usage_event.organization_id "
        "AND key.event_id = usage_event.event_id)"
    )
    _organizations = """
        WITH RECURSIVE found AS (
            (SELECT organization_id FROM usage_event_key ORDER BY organization_id LIMIT 1)
            UNION ALL
            SELECT (SELECT key.organization_id FROM usage_event_key AS key
                    WHERE key.organization_id > found.organization_id
                    ORDER BY key.organization_id LIMIT 1)
            FROM found WHERE found.organization_id IS NOT NULL
        )
        SELECT organization_id FROM found WHERE organization_id IS NOT NULL"""

    def __init__(
        self, database: PostgresDatabase, clock: Clock, *, node_id: str, spool: Spool
    ) -> None:
        """Open or create the ledger.

        `node_id` is whose intents are put on record here, `spool` takes what comes in while the
        database is away. Raises Unavailable without a database, Damaged when the end of the chain
        is not intact.
        """
        super().__init__(clock)
        self._database = database
        self._node_id = node_id
        self._writer: MarkedConnection | None = MarkedConnection(database.connect())
        self._months: set[str] = set()
        self.spending = PostgresSpending(self._locked)
        self._known_at = clock.now()
        self._spool = spool
        self._is_away = False
        self._leader: psycopg.Connection[Any] | None = None
        self._leading = threading.Lock()
        self._prepare(self._writer)
        self._give_sign()
        self._drain()
        self._watch = Worker("ledger-watch", self._look_out)
        self._begin_writing()
        self._watch.start()

    def _prepare(self, writer: MarkedConnection) -> None:
        """Create the schema, once whoever opens it, and check the end of the chain."""
        with writer.raw.transaction():
            writer.execute(_LOCK, (SCHEMA_LOCK,))
            if writer.execute(_HAS_LEDGER).fetchone() == (None,):
                for statement in load_statements("outlay.storage.ledger", "schema_postgres"):
                    writer.execute(statement)
                for table in WALLED:
                    for statement in wall_of(table):
                        writer.execute(statement)
                identity = (uuid7(self._clock), SCHEMA_VERSION, to_us(self._clock.now()))
                writer.execute(queries.INSERT_IDENTITY, identity)
        self.ledger_id, version = writer.execute(queries.IDENTITY).fetchone() or ("", 0)
        if version != SCHEMA_VERSION:
            raise Damaged(
                f"the ledger has schema {version}, this Outlay knows {SCHEMA_VERSION}",
                code="ledger-schema",
            )
        with writer.raw.transaction():
            writer.execute(_LOCK, (LEDGER_LOCK,))
            self._enter(writer)
            last = writer.execute(queries.LAST_BATCH).fetchone()
            (last_event_seq,) = writer.execute(queries.LAST_SEQ_OF_EVENTS).fetchone() or (0,)
            self._last_seq, self._rewrites = writer.execute(_HEAD).fetchone() or (0, 0)
        if last_event_seq != (last[1] if last else 0):
            raise Damaged(
                f"the ledger ends at event {last_event_seq} but its last batch at "
                f"{last[1] if last else 0}; restore it from a backup",
                code="ledger-tail",
            )

    @contextmanager
    def _locked(self) -> Iterator[MarkedConnection]:
        """A transaction beside the writer's, with the ledger's lock."""
        with self._database.reading(EVERY_TENANT) as connection:
            connection.execute(_LOCK, (LEDGER_LOCK,))
            yield connection
            connection.raw.commit()

    @staticmethod
    def _enter(connection: MarkedConnection) -> None:
        """Show the transaction under way the rows of all organizations."""
        connection.raw.execute(ENTER, (EVERY_TENANT,))

    # Reading

    @override
    @contextmanager
    def _reading(self, tenant: str = EVERY_TENANT) -> Iterator[Connection]:
        with self._database.reading(tenant) as connection:
            yield connection

    @override
    def _stream(self, text: str, values: Sequence[Any]) -> Iterator[EventRow]:
        with (
            self._database.reading(EVERY_TENANT) as connection,
            connection.raw.cursor(name="stream") as cursor,
        ):
            cursor.itersize = STREAM_ROWS
            cursor.execute(text.replace("?", "%s"), values)
            yield from cursor

    @override
    def newest_seq(self) -> int:
        """Sequence number of the last event that anybody had acknowledged before this call."""
        instant = self._clock.now()
        with self._reading() as reader:
            seq, rewrites = reader.execute(_HEAD).fetchone()
        with self._committed:
            self._known_at = max(self._known_at, instant)
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
            return [Intent(*row) for row in reader.execute(_MY_INTENTS, (self._node_id,))]

    @override
    def orphans(self) -> list[Intent]:
        """Requests without an outcome that nodes let through which are not heard of any more."""
        with self._reading() as reader:
            return [Intent(*row) for row in reader.execute(_ORPHANS, (GONE_SECONDS,))]

    @override
    @contextmanager
    def alone(self, task: str) -> Iterator[None]:
        """Keep other nodes from the same task; Unavailable while one of them is at it."""
        connection = self._database.connect()
        try:
            (has_it,) = connection.execute(_ALONE, (f"outlay {task}",)).fetchone() or (False,)
            if not has_it:
                raise Unavailable(f"another node is at it: {task}", code="busy")
            yield
        finally:
            connection.close()

    @override
    def lead(self) -> bool:
        """Whether this node has the lock of the loader, which goes with its connection."""
        with self._leading:
            try:
                if self._leader is None:
                    candidate = self._database.connect()
                    (has_it,) = candidate.execute(_LEAD).fetchone() or (False,)
                    if not has_it:
                        candidate.close()
                        return False
                    self._leader = candidate
                self._leader.execute("SELECT 1")
            except (psycopg.Error, Unavailable):
                if self._leader is not None:
                    self._leader.close()
                    self._leader = None
                return False
            return True

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
            connection.execute(_SIGN, (self._node_id,))
            connection.raw.commit()

    # Writing

    @override
    def _refusal(self, error: Exception) -> Exception:
        return away(error) if isinstance(error, psycopg.Error) else error

    @override
    def _commit(
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
            logger.warning("the database is away: %s", away(error).message)
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
        """Bring what is in the local journal to the database, in its order."""
        while (found := self._spool.first()) is not None:
            entry_id, entry = found
            intents = [Intent(*intent) for intent in entry.intents]
            self._commit_with(self._connected(), entry.events, intents, entry.settled)
            self._spool.drop(entry_id)
            if self._spool.first() is None:
                logger.warning("the local journal has been emptied into the database")

    _idle_seconds = 1.0

    @override
    def _idle(self) -> None:
        """Empty the local journal when the database is back."""
        if self._spool.size and not self._is_away:
            try:
                self._drain()
            except (psycopg.OperationalError, Unavailable) as error:
                self._lose(error)

    @property
    def journaled(self) -> int:
        """Events and intents in the local journal."""
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
        outcomes = [Outcome.ACCEPTED] * len(events)
        batch: Batch | None = None
        drafts = [to_row(event, 0, now_us, facts_digest(event)) for event in events]
        self._create_months(writer, drafts)
        admission = Admission({}, [])
        with writer.raw.transaction():
            self._enter(writer)
            if events or any(intent.holds for intent in intents):
                # The rest waits for this: intents without limits need no order.
                writer.execute(_LOCK, (LEDGER_LOCK,))
            if events:
                batch = self._store(writer, events, drafts, outcomes, now_us)
            if settled:
                writer.execute(_DROP_INTENTS, _columns(settled))
            if intents:
                admission = self.spending.admit(writer, intents, now_us)
                # One that is settled here already need not be put on record.
                gone = {*admission.refused, *settled}
                let_through = [intent[:3] for intent in intents if intent[:2] not in gone]
                if let_through:
                    writer.execute(_PUT_INTENTS, (self._node_id, *_columns(let_through)))
                self.spending.hold(writer, admission.holds)
        if batch is not None:
            self._tell(batch)
        refused = {key: limit_reached(why) for key, why in admission.refused.items()}
        return Committed(outcomes, refused)

    def _store(
        self,
        writer: MarkedConnection,
        events: Sequence[UsageEvent],
        drafts: Sequence[EventRow],
        outcomes: list[Outcome],
        now_us: int,
    ) -> Batch | None:
        """Store the new ones of the drafts as the next batch; fill in the other outcomes."""
        last = writer.execute(queries.LAST_BATCH).fetchone()
        last_batch_id, last_seq, chain = last or (0, 0, GENESIS)
        fresh = self._take_keys(writer, events, drafts, outcomes)
        sequence = count(last_seq + 1)
        rows = [(next(sequence), *draft[1:]) for draft in fresh]
        if not rows:
            return None
        self._copy(writer, rows)
        batch = Batch(last_batch_id + 1, rows[0][0], rows[-1][0], now_us, rows)
        checksum = batch_checksum(chain, rows)
        writer.execute(queries.INSERT_BATCH, (*_head_of(batch), checksum, len(ROW_COLUMNS)))
        self.spending.count(writer, rows)
        return batch

    @staticmethod
    def _copy(writer: MarkedConnection, rows: Sequence[EventRow]) -> None:
        """Put rows into their partitions, which may be copied to; a table behind a wall may not."""
        by_month: dict[datetime, list[EventRow]] = {}
        for row in rows:
            by_month.setdefault(month_of(row[_TIME]), []).append(row)
        with writer.raw.cursor() as cursor:
            for month, part in by_month.items():
                statement = f"COPY {_partition(month)} ({queries.COLUMNS}) FROM STDIN"
                with cursor.copy(statement) as copy:
                    for row in part:
                        copy.write_row(row)

    def _take_keys(
        self,
        writer: MarkedConnection,
        events: Sequence[UsageEvent],
        drafts: Sequence[EventRow],
        outcomes: list[Outcome],
    ) -> list[EventRow]:
        """The drafts whose ids are not taken; they are now."""
        first: dict[_Key, EventRow] = {}
        for draft in drafts:
            first.setdefault(_key_of(draft), draft)
        columns = [
            [draft[position] for draft in first.values()]
            for position in (_ORGANIZATION, _EVENT, _DIGEST, _TIME)
        ]
        taken = set(writer.execute(_TAKE_KEYS, columns).fetchall())
        if len(taken) == len(drafts):
            return list(drafts)
        known: dict[_Key, bytes] = {key: draft[_DIGEST] for key, draft in first.items()}
        others = [key for key in first if key not in taken]
        if others:
            found = writer.execute(_KEYS, _columns(others))
            known.update({(organization, event): digest for organization, event, digest in found})
        fresh = []
        for index, (event, draft) in enumerate(zip(events, drafts, strict=True)):
            key = _key_of(draft)
            if key in taken:
                taken.remove(key)
                fresh.append(draft)
            elif known[key] == draft[_DIGEST]:
                outcomes[index] = Outcome.DUPLICATE
            else:
                outcomes[index] = Outcome.CONFLICT
                digests = (known[key], draft[_DIGEST])
                conflict = (draft[1], *key, *digests, facts_json(event))
                writer.execute(queries.INSERT_CONFLICT, conflict)
        return fresh

    def _create_months(self, writer: MarkedConnection, drafts: Sequence[EventRow]) -> None:
        """See to it that there is a partition for every event, in a transaction of its own."""
        wanted = {month_of(draft[_TIME]) for draft in drafts}
        if all(_partition(month) in self._months for month in wanted):
            return
        with writer.raw.transaction():
            writer.execute(_LOCK, (SCHEMA_LOCK,))
            self._months = {name for (name,) in writer.execute(_PARTITIONS)}
            for month in sorted(wanted):
                name = _partition(month)
                if name not in self._months:
                    start, end = to_us(month), to_us(_following(month))
                    # Attaching lets readers go on, making it a partition at once would not.
                    writer.execute(f"CREATE TABLE {name} (LIKE usage_event INCLUDING ALL)")
                    writer.execute(
                        f"ALTER TABLE usage_event ATTACH PARTITION {name} "
                        f"FOR VALUES FROM ({start}) TO ({end})"
                    )
        self._months |= {_partition(month) for month in wanted}

    @override
    def _rewrite(self, change: Callable[[Connection], list[int]]) -> int:
        """Change rows between commits of any node, and restate the batches that they are in."""
        connection = MarkedConnection(self._database.connect())
        try:
            with connection.raw.transaction():
                self._enter(connection)
                connection.execute(_LOCK, (LEDGER_LOCK,))
                sequences = change(connection)
                rewrites = self._rewrites
                if sequences:
                    (rewrites,) = connection.execute(queries.COUNT_REWRITE).fetchone() or (0,)
                restate(connection, sequences)
            self._rewrites = rewrites
            self._recent.clear()
            if sequences:
                # What was there before must not stay in dead rows either.
                connection.execute("VACUUM usage_event, usage_conflict")
        except psycopg.OperationalError as error:
            raise away(error) from error
        finally:
            connection.raw.close()
        return len(sequences)

    @override
    def _release(self) -> None:
        self._watch.stop()
        self._drop_writer()
        if self._leader is not None:
            self._leader.close()
        self._spool.close()


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _key_of(draft: EventRow) -> _Key:
    return draft[_ORGANIZATION], draft[_EVENT]


def _head_of(batch: Batch) -> tuple[int, int, int, int]:
    """The columns of a batch before its checksum."""
    return batch.batch_id, batch.first_seq, batch.last_seq, batch.recorded_at_us


def month_of(time_us: int) -> datetime:
    """The first instant of the UTC month that an instant is in."""
    day = from_us(time_us).astimezone(UTC)
    return day.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _following(month: datetime) -> datetime:
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


def _partition(month: datetime) -> str:
    return f"usage_event_{month:%Y_%m}"

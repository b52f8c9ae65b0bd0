"""The ledger on SQLite: one file, one writer, `synchronous=FULL` before any acknowledgement."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Final

import pysqlite3 as driver
from typing_extensions import override

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged, Unavailable
from outlay.domain.event import UsageEvent
from outlay.domain.outcome import Outcome
from outlay.kit.clock import Clock, to_us
from outlay.kit.ids import uuid7
from outlay.kit.sqlfiles import load_statements
from outlay.storage.health import StorageHealth
from outlay.storage.ledger import queries
from outlay.storage.ledger.answers import settle_answers
from outlay.storage.ledger.connection import Connection
from outlay.storage.ledger.rows import (
    GENESIS,
    ROW_COLUMNS,
    Batch,
    EventRow,
    Intent,
    batch_checksum,
    facts_json,
    to_row,
)
from outlay.storage.ledger.schema import BeforeUpgrade, Schema, announce, run_statements
from outlay.storage.ledger.sqlite.reading import SqliteReading
from outlay.storage.ledger.store import Committed, Ledger, LedgerContents, Settled
from outlay.storage.sqlite import connect, refusal_of, translating_errors, truncate_log

PACKAGE: Final = "outlay.storage.ledger.sqlite"

SCHEMA: Final = Schema(
    first=1,
    steps=(
        run_statements(PACKAGE, "upgrade_2"),
        run_statements(PACKAGE, "upgrade_3"),
        run_statements(PACKAGE, "upgrade_4"),
    ),
)


class SqliteLedger(SqliteReading, Ledger):
    """Append-only usage events in one SQLite file. Thread-safe."""

    schema: ClassVar[Schema] = SCHEMA

    def __init__(
        self,
        path: Path,
        clock: Clock,
        health: StorageHealth | None = None,
        *,
        before_upgrade: BeforeUpgrade = announce,
    ) -> None:
        """Open or create the ledger at `path`; raises Damaged if its tail is not intact.

        `health` is shared with the other writers of the file.
        """
        health = health or StorageHealth()
        SqliteReading.__init__(self, path, health)
        Ledger.__init__(self, clock, health)
        with translating_errors(self._health):
            self._writer = connect(path)
            try:
                self._prepare(before_upgrade)
                self.open_readers()
            except BaseException:
                self.close_readers()
                self._writer.close()
                raise
        self._begin_writing()

    def _prepare(self, before_upgrade: BeforeUpgrade = announce) -> None:
        """Create or upgrade the tables, and load the end of the chain."""
        self._writer.execute("BEGIN IMMEDIATE")
        if self._writer.execute(queries.HAS_IDENTITY).fetchone():
            self.schema.upgrade(self._writer, before_upgrade)
        for statement in load_statements(PACKAGE, "schema"):
            self._writer.execute(statement)
        identity = self._writer.execute(queries.IDENTITY).fetchone()
        if identity is None:
            identity = (uuid7(self._clock), self.schema.version)
            now_us = to_us(self._clock.now())
            self._writer.execute(queries.INSERT_IDENTITY, (*identity, now_us))
        self._writer.execute("COMMIT")
        self.ledger_id = identity[0]
        (self._rewrites,) = self._writer.execute(queries.REWRITES).fetchone()
        last = self._writer.execute(queries.LAST_BATCH).fetchone()
        self._last_batch_id: int
        self._chain: bytes
        self._last_batch_id, self._last_seq, self._chain = last or (0, 0, GENESIS)
        (last_event_seq,) = self._writer.execute(queries.LAST_SEQ_OF_EVENTS).fetchone()
        if last_event_seq != self._last_seq:
            raise Damaged(
                f"The ledger ends at event {last_event_seq}, but its last batch ends at "
                f"{self._last_seq}. Restore a backup.",
                code=ErrorCode.LEDGER_TAIL,
            )

    @override
    def newest_seq(self) -> int:
        """Sequence number of the last acknowledged event: this process is the only writer."""
        return self._last_seq

    # Writing

    @override
    def _refusal(self, error: Exception) -> Exception:
        """The error for the submitters; after an I/O error nothing more is accepted."""
        if not isinstance(error, driver.Error):
            return error
        refusal = refusal_of(error, self._health)
        if isinstance(refusal, Damaged):
            return self._health.fail(str(error))
        return refusal or Unavailable(
            f"The ledger is not writable: {error}.", code=ErrorCode.LEDGER_UNAVAILABLE
        )

    @override
    def commit(
        self,
        events: Sequence[UsageEvent],
        intents: Sequence[Intent],
        settled: Sequence[Settled],
    ) -> Committed:
        now_us = to_us(self._clock.now())
        first_seq = self._last_seq + 1
        writer = self._writer
        try:
            self._begin(intents, settled)
            submitted = settle_answers(writer, events, self._lookup, self._common, self._check_own)
            rows = [
                to_row(event, seq, now_us) for seq, event in enumerate(submitted.events, first_seq)
            ]
            outcomes = [Outcome.ACCEPTED] * len(rows)
            if rows:
                before = writer.total_changes
                self._run_in_chunks(queries.insert_events, rows)
                if writer.total_changes - before != len(rows):
                    # Some ids exist: start again and check each event.
                    writer.execute("ROLLBACK")
                    self._begin(intents, settled)
                    rows = self._insert_each(submitted.events, rows, outcomes)
            if rows:
                checksum = batch_checksum(self._chain, rows)
                batch = (self._last_batch_id + 1, first_seq, rows[-1][0], now_us, checksum)
                writer.execute(queries.INSERT_BATCH, (*batch, len(ROW_COLUMNS)))
            writer.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        if rows:
            self._last_batch_id += 1
            self._chain = checksum
            self._tell(Batch(batch[0], first_seq, rows[-1][0], now_us, rows))
        return Committed(submitted.outcomes(outcomes))

    def _check_own(self, rows: Sequence[EventRow]) -> None:
        """Raise Damaged unless rows read by the writer match their checksums."""
        self._check(self._writer, rows)

    def _roll_back(self) -> None:
        """Roll back the current transaction; SQLite does so itself if the disk is full."""
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

    def _begin(self, intents: Sequence[Intent], settled: Sequence[Settled]) -> None:
        self._writer.execute("BEGIN IMMEDIATE")
        self._run_in_chunks(queries.insert_intents, [intent[:3] for intent in intents])
        self._run_in_chunks(queries.delete_intents, settled)

    def _run_in_chunks(
        self, statement: Callable[[int], str], rows: Sequence[tuple[Any, ...]]
    ) -> None:
        """Run a statement over rows, with as many rows at a time as it accepts."""
        for start in range(0, len(rows), queries.MAX_ROWS):
            chunk = rows[start : start + queries.MAX_ROWS]
            self._writer.execute(statement(len(chunk)), [*chain.from_iterable(chunk)])

    def _insert_each(
        self, events: Sequence[UsageEvent], rows: list[EventRow], outcomes: list[Outcome]
    ) -> list[EventRow]:
        """Insert the new rows, renumbered without gaps, and set the outcomes of the others."""
        kept: list[EventRow] = []
        seq = self._last_seq
        for index, (event, row) in enumerate(zip(events, rows, strict=True)):
            known = self._writer.execute(
                queries.DIGEST_OF_EVENT, (event.organization_id, event.event_id)
            ).fetchone()
            if known is None:
                seq += 1
                kept.append((seq, *row[1:]))
                self._writer.execute(queries.insert_events(1), kept[-1])
            elif known[0] == row[2]:
                outcomes[index] = Outcome.DUPLICATE
            else:
                outcomes[index] = Outcome.CONFLICT
                self._writer.execute(
                    queries.INSERT_CONFLICT,
                    (
                        row[1],
                        event.organization_id,
                        event.event_id,
                        known[0],
                        row[2],
                        facts_json(event),
                    ),
                )
        return kept

    @override
    def _adopt(self, contents: LedgerContents) -> None:
        writer = self._writer
        writer.execute("BEGIN IMMEDIATE")
        try:
            for batch in contents.checked_batches():
                self._run_in_chunks(queries.insert_events, batch.rows)
                writer.execute(queries.PUT_BATCH, batch[:7])
            writer.executemany(queries.INSERT_CONFLICT, contents.conflicts)
            for intent in contents.intents:
                if not writer.execute(queries.DIGEST_OF_EVENT, intent[:2]).fetchone():
                    writer.execute(queries.insert_intents(1), intent[:3])
            writer.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        self._prepare()

    @override
    @contextmanager
    def _locked(self) -> Iterator[Connection]:
        self._health.check()
        with self._writing, translating_errors(self._health):
            writer = self._writer
            writer.execute("BEGIN IMMEDIATE")
            try:
                yield writer
                writer.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    @override
    def purge(self) -> None:
        """Empty the write-ahead log, which contains old data."""
        with translating_errors(self._health):
            connection = connect(self._path)
            try:
                truncate_log(connection)
            finally:
                connection.close()

    @override
    def _release(self) -> None:
        self.close_readers()
        self._writer.close()


def has_ledger(path: Path) -> bool:
    """Whether there is a ledger in a database file."""
    with closing(connect(path, read_only=True)) as connection:
        return _schema_version(connection) is not None


def is_older(path: Path) -> bool:
    """Whether the ledger in a database file has an older version."""
    with closing(connect(path, read_only=True)) as connection:
        version = _schema_version(connection)
    return version is not None and version < SCHEMA.version


def _schema_version(connection: Connection) -> int | None:
    """The schema version, None without tables."""
    if not connection.execute(queries.HAS_IDENTITY).fetchone():
        return None
    found = connection.execute(queries.IDENTITY).fetchone()
    return int(found[1]) if found else None

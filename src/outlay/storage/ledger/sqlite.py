"""The ledger on SQLite: an acknowledged event is on disk.

One writer thread commits whatever has been submitted since the last commit in one transaction,
so that many requests share one fsync. A submission is stored wholly or not at all, and its
future is resolved only after COMMIT returned with `synchronous=FULL`.
"""

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

import pysqlite3 as driver

from outlay.domain.errors import Damaged, Unavailable
from outlay.domain.event import UsageEvent
from outlay.domain.outcome import Outcome
from outlay.kit.clock import Clock, to_us
from outlay.kit.ids import uuid7
from outlay.kit.sqlfiles import load_statements
from outlay.storage.ledger import queries
from outlay.storage.ledger.erasing import drop_claims, replace_claims, restate
from outlay.storage.ledger.reading import LedgerReader
from outlay.storage.ledger.rows import (
    GENESIS,
    ROW_COLUMNS,
    Batch,
    EventRow,
    Intent,
    batch_checksum,
    facts_digest,
    facts_json,
    to_row,
)
from outlay.storage.sqlite import Connection, connect

logger = logging.getLogger(__name__)

SCHEMA_VERSION: Final = 3
MAX_COMMIT_EVENTS: Final = 5_000
"""Events per transaction: enough to share an fsync widely, few enough to keep commits short."""

RECENT_EVENTS: Final = 20_000
"""Events kept in memory after their commit, so that whoever keeps up need not read them back."""

MAX_PENDING_EVENTS: Final = 100_000
"""Submitted but uncommitted events at which new ones are refused instead of queued."""


@dataclass(slots=True)
class _Submission:
    events: Sequence[UsageEvent]
    intents: Sequence[Intent]
    settled: Sequence[tuple[str, str]]
    done: Future[list[Outcome]]

    @property
    def size(self) -> int:
        """What it counts for among all that waits."""
        return len(self.events) + len(self.intents)


class SqliteLedger(LedgerReader):
    """Append-only usage events in one SQLite file. Thread-safe."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open or create the ledger at `path`; raises Damaged when its tail is not intact."""
        super().__init__(path)
        self._clock = clock
        self._writer = connect(path)
        self._prepare()
        self._queue: queue.SimpleQueue[_Submission | None] = queue.SimpleQueue()
        self._pending = 0
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        """Held while the writer connection is in a transaction."""
        self._closing = False
        self._failure: str | None = None
        self._committed = threading.Condition()
        self._recent: deque[Batch] = deque()
        self._recent_events = 0
        self._listeners: list[Callable[[Sequence[EventRow]], None]] = []
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    def _prepare(self) -> None:
        """Create the schema, load the end of the chain."""
        self._writer.execute("BEGIN IMMEDIATE")
        self._upgrade()
        for statement in load_statements("outlay.storage.ledger", "schema"):
            self._writer.execute(statement)
        identity = self._writer.execute(queries.IDENTITY).fetchone()
        if identity is None:
            identity = (uuid7(self._clock), SCHEMA_VERSION)
            now_us = to_us(self._clock.now())
            self._writer.execute(queries.INSERT_IDENTITY, (*identity, now_us))
        self._writer.execute("COMMIT")
        self.ledger_id: str = identity[0]
        self._rewrites: int
        (self._rewrites,) = self._writer.execute(queries.REWRITES).fetchone()
        last = self._writer.execute(queries.LAST_BATCH).fetchone()
        self._last_batch_id: int
        self._last_seq: int
        self._chain: bytes
        self._last_batch_id, self._last_seq, self._chain = last or (0, 0, GENESIS)
        (last_event_seq,) = self._writer.execute(queries.LAST_SEQ_OF_EVENTS).fetchone()
        if last_event_seq != self._last_seq:
            raise Damaged(
                f"the ledger ends at event {last_event_seq} but its last batch at "
                f"{self._last_seq}; restore it from a backup",
                code="ledger-tail",
            )

    def _upgrade(self) -> None:
        """Bring the tables of an older version to this one, in the transaction under way."""
        if not self._writer.execute(queries.HAS_IDENTITY).fetchone():
            return
        (version,) = self._writer.execute(queries.IDENTITY).fetchone()[1:]
        if version > SCHEMA_VERSION:
            raise Damaged(
                f"the ledger was written by a newer Outlay (schema {version}); "
                f"this one reads up to schema {SCHEMA_VERSION}",
                code="ledger-too-new",
            )
        for following in range(version + 1, SCHEMA_VERSION + 1):
            for statement in load_statements("outlay.storage.ledger", f"upgrade_{following}"):
                self._writer.execute(statement)
            self._writer.execute(queries.RAISE_SCHEMA, (following,))

    # Writing

    def on_commit(self, listener: Callable[[Sequence[EventRow]], None]) -> None:
        """Call `listener` with the rows of every commit, before its submitters are told."""
        self._listeners.append(listener)

    def submit(
        self,
        events: Sequence[UsageEvent],
        *,
        intents: Sequence[Intent] = (),
        settled: Sequence[tuple[str, str]] = (),
    ) -> Future[list[Outcome]]:
        """Queue events for the next commit; the future holds one Outcome per event, in order.

        `intents` are put on record and those of `settled`, pairs of organization and event id,
        taken off it in the same transaction. Raises Unavailable, having stored nothing, when the
        ledger cannot accept now.
        """
        with self._lock:
            if self._closing:
                raise Unavailable("the ledger is closing", code="shutting-down")
            if self._failure:
                raise Unavailable(self._failure, code="ledger-failed")
            submission = _Submission(events, intents, settled, Future())
            if self._pending + submission.size > MAX_PENDING_EVENTS and self._pending:
                raise Unavailable(
                    "too many events wait to be written; try again in a moment", code="overloaded"
                )
            self._pending += submission.size
            self._queue.put(submission)
        return submission.done

    def append(self, events: Sequence[UsageEvent]) -> list[Outcome]:
        """Store events and wait until they are on disk."""
        return self.submit(events).result()

    def _run(self) -> None:
        stop = False
        while not stop:
            first = self._queue.get()
            if first is None:
                return
            work = [first]
            count = first.size
            while count < MAX_COMMIT_EVENTS:
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    stop = True
                    break
                work.append(following)
                count += following.size
            self._serve(work, count)

    def _serve(self, work: list[_Submission], count: int) -> None:
        """Commit the submissions together; on failure refuse each of them."""
        try:
            with self._writing:
                outcomes = self._commit(
                    [event for part in work for event in part.events],
                    [intent for part in work for intent in part.intents],
                    [pair for part in work for pair in part.settled],
                )
        except Exception as error:
            refusal = self._refusal(error)
            for part in work:
                part.done.set_exception(refusal)
        else:
            position = 0
            for part in work:
                size = len(part.events)
                part.done.set_result(outcomes[position : position + size])
                position += size
        finally:
            with self._lock:
                self._pending -= count
            with self._committed:
                self._committed.notify_all()

    def _refusal(self, error: Exception) -> Exception:
        """What the waiters are told; after an I/O error nothing more is accepted.

        A failed fsync may have dropped dirty pages that a second fsync reports as written
        (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020), so only
        a restart, which reads back what is on disk, may go on.
        """
        if not isinstance(error, driver.Error):
            return error
        if "disk I/O error" in str(error) or "malformed" in str(error):
            self._failure = f"the ledger failed ({error}) and accepts nothing until restarted"
            return Unavailable(self._failure, code="ledger-failed")
        return Unavailable(f"the ledger cannot write now: {error}", code="ledger-unavailable")

    def _commit(
        self,
        events: Sequence[UsageEvent],
        intents: Sequence[Intent],
        settled: Sequence[tuple[str, str]],
    ) -> list[Outcome]:
        now_us = to_us(self._clock.now())
        first_seq = self._last_seq + 1
        rows = [
            to_row(event, seq, now_us, facts_digest(event))
            for seq, event in enumerate(events, first_seq)
        ]
        outcomes = [Outcome.ACCEPTED] * len(rows)
        writer = self._writer
        try:
            self._begin(intents, settled)
            if rows:
                before = writer.total_changes
                self._run_in_chunks(queries.insert_events, rows)
                if writer.total_changes - before != len(rows):
                    # Some are known: start over and look at each.
                    writer.execute("ROLLBACK")
                    self._begin(intents, settled)
                    rows = self._insert_each(events, rows, outcomes)
            if rows:
                checksum = batch_checksum(self._chain, rows)
                batch = (self._last_batch_id + 1, first_seq, rows[-1][0], now_us, checksum)
                writer.execute(queries.INSERT_BATCH, (*batch, len(ROW_COLUMNS)))
            writer.execute("COMMIT")
        except BaseException:
            if writer.in_transaction:
                writer.execute("ROLLBACK")
            raise
        if rows:
            self._remember(Batch(batch[0], first_seq, rows[-1][0], now_us, rows))
            self._last_batch_id += 1
            self._last_seq = rows[-1][0]
            self._chain = checksum
            self._tell(rows)
        return outcomes

    def _begin(self, intents: Sequence[Intent], settled: Sequence[tuple[str, str]]) -> None:
        self._writer.execute("BEGIN IMMEDIATE")
        self._run_in_chunks(queries.insert_intents, intents)
        self._run_in_chunks(queries.delete_intents, settled)

    def _run_in_chunks(
        self, statement: Callable[[int], str], rows: Sequence[tuple[Any, ...]]
    ) -> None:
        """Run a statement over rows, as many at a time as it takes."""
        for start in range(0, len(rows), queries.MAX_ROWS):
            chunk = rows[start : start + queries.MAX_ROWS]
            self._writer.execute(statement(len(chunk)), [*chain.from_iterable(chunk)])

    def _tell(self, rows: Sequence[EventRow]) -> None:
        for listener in self._listeners:
            try:
                listener(rows)
            except Exception:  # the rows are on disk, whatever others make of them
                logger.exception("a listener of the ledger failed")

    def _remember(self, batch: Batch) -> None:
        with self._lock:
            self._recent.append(batch)
            self._recent_events += len(batch.rows)
            while self._recent_events > RECENT_EVENTS and len(self._recent) > 1:
                self._recent_events -= len(self._recent.popleft().rows)

    def _insert_each(
        self, events: Sequence[UsageEvent], rows: list[EventRow], outcomes: list[Outcome]
    ) -> list[EventRow]:
        """Insert the new ones of `rows`, renumbered without gaps; fill in the other outcomes."""
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

    def close(self) -> None:
        """Commit what was submitted, stop accepting, release the file."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            self._queue.put(None)
        self._thread.join()
        self.close_readers()
        self._writer.close()

    # What is known without reading

    def wait_for_commit(self, after_seq: int, timeout: float) -> bool:
        """Wait up to `timeout` seconds for an event past `after_seq`; whether there is one."""
        with self._committed:
            return self._committed.wait_for(lambda: self._last_seq > after_seq, timeout)

    @property
    def failure(self) -> str | None:
        """Why nothing is accepted until a restart, None while all is well."""
        return self._failure

    @property
    def last_seq(self) -> int:
        """Sequence number of the last acknowledged event, 0 when there is none."""
        return self._last_seq

    def recent_batches(self, after_seq: int) -> list[Batch]:
        """Batches after `after_seq` from memory; none when they go back further than it does.

        Those before are forgotten: whoever asks is past them.
        """
        with self._lock:
            while self._recent and self._recent[0].last_seq <= after_seq:
                self._recent_events -= len(self._recent.popleft().rows)
            if not self._recent or self._recent[0].first_seq > after_seq + 1:
                return []
            return [batch for batch in self._recent if batch.first_seq > after_seq]

    @property
    def edition(self) -> str:
        """Which ledger, and in which wording of its rows: what a cube is made of."""
        return f"{self.ledger_id}.{self._rewrites}"

    # Erasing

    def forget(self, organization_id: str, identity: str, instead: str) -> int:
        """Put `instead` in the place of an identity, in any case, wherever requests claimed it.

        Returns the number of events that changed. All else, numbers above all, stays as it is; the
        batches concerned get a second checksum.
        """
        return self._rewrite(
            lambda writer: replace_claims(writer, organization_id, identity.lower(), instead)
        )

    def forget_end_users(self, organization_id: str, before_us: int) -> int:
        """Drop claimed end users of events before an instant; of how many events.

        So many at a time that nobody waits long for the ledger: call it until there are none.
        """
        return self._rewrite(lambda writer: drop_claims(writer, organization_id, before_us))

    def _rewrite(self, change: Callable[[Connection], list[int]]) -> int:
        """Change rows between commits, and restate the batches that they are in."""
        with self._writing:
            writer = self._writer
            writer.execute("BEGIN IMMEDIATE")
            try:
                sequences = change(writer)
                rewrites = self._rewrites
                if sequences:
                    (rewrites,) = writer.execute(queries.COUNT_REWRITE).fetchone()
                restate(writer, sequences)
                writer.execute("COMMIT")
            except BaseException:
                writer.execute("ROLLBACK")
                raise
            self._rewrites = rewrites
            with self._lock:
                self._recent.clear()
                self._recent_events = 0
            # What was there before must not stay in the log either.
            writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(sequences)

"""The base of all ledgers: append-only usage events, acknowledged once they are on disk.

One writer thread commits everything submitted since the last commit in one transaction, so that
many requests share one fsync. A submission is stored completely or not at all, and its future is
resolved only after the commit has returned.
"""

import logging
import queue
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Conflict, Damaged, OutlayError, Unavailable
from outlay.domain.event import UsageEvent
from outlay.domain.outcome import Outcome
from outlay.kit.clock import Clock
from outlay.kit.event_loop import refuse_on_event_loop
from outlay.kit.tracing import Tracer, traced
from outlay.storage.health import StorageHealth
from outlay.storage.ledger.answers import CommonIds
from outlay.storage.ledger.batches import is_intact
from outlay.storage.ledger.reading import Conflict as RecordedConflict
from outlay.storage.ledger.recent import RecentBatches
from outlay.storage.ledger.rewriting import RewritableLedger
from outlay.storage.ledger.rows import (
    GENESIS,
    Batch,
    EventRow,
    Intent,
    StoredBatch,
)
from outlay.storage.ledger.spending import SharedSpending

logger = logging.getLogger(__name__)

MAX_COMMIT_EVENTS: Final = 5_000
"""Events per transaction: enough to share an fsync widely, few enough to keep commits short."""

MAX_PENDING_EVENTS: Final = 100_000
"""Refuse new events when this many submitted events are not committed yet."""

Settled = tuple[str, str]
"""Organization and event id of an intent whose outcome is known."""


Refused = Callable[[Intent, OutlayError], None]
"""Called by the ledger's thread with an intent that was not recorded, and the reason."""


class Committed(NamedTuple):
    """The result of a commit."""

    outcomes: list[Outcome]
    """One per event, in order."""
    refused: Mapping[Settled, OutlayError] = {}
    """Intents that were not recorded because a spend limit has no room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerContents:
    """The complete content of a ledger."""

    intents: Sequence[Intent]
    conflicts: Sequence[RecordedConflict]
    batches: Iterable[StoredBatch]

    def checked_batches(self) -> Iterator[StoredBatch]:
        """The batches in order; Damaged if one does not follow from the previous one."""
        previous, last_seq = GENESIS, 0
        for batch in self.batches:
            if batch.first_seq != last_seq + 1 or not is_intact(previous, batch):
                raise Damaged(
                    f"Batch {batch.batch_id} does not match its checksum.",
                    code=ErrorCode.LEDGER_CHECKSUM,
                )
            previous, last_seq = batch.checksum, batch.last_seq
            yield batch


@dataclass(slots=True)
class _Submission:
    events: Sequence[UsageEvent]
    intents: Sequence[Intent]
    settled: Sequence[Settled]
    refused: Refused | None
    done: Future[list[Outcome]]

    @property
    def size(self) -> int:
        """Its share of the pending events."""
        return len(self.events) + len(self.intents)


class Ledger(RewritableLedger):
    """Append-only usage events. Thread-safe."""

    ledger_id: str
    """The ledger's identity; part of the edition."""
    tracer: Tracer | None = None
    """Creates a trace span for each commit."""
    spending: SharedSpending | None = None
    """Spend counters, if several nodes write; None for a single node."""

    def __init__(self, clock: Clock, health: StorageHealth | None = None) -> None:
        """The engine sets the loaded state, then calls `_begin_writing`."""
        self._health = health or StorageHealth()
        self._clock = clock
        self._last_seq = 0
        self._rewrites = 0
        self._queue: queue.SimpleQueue[_Submission | None] = queue.SimpleQueue()
        self._pending = 0
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        """Held while the writer's connection is in a transaction."""
        self._closing = False
        self._committed = threading.Condition()
        self._recent = RecentBatches()
        self._common = CommonIds()
        self._listeners: list[Callable[[Sequence[EventRow]], None]] = []
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)

    def _begin_writing(self) -> None:
        self._thread.start()

    # Implemented by engines

    @abstractmethod
    def commit(
        self, events: Sequence[UsageEvent], intents: Sequence[Intent], settled: Sequence[Settled]
    ) -> Committed:
        """Write everything to disk in one transaction; called with `_writing` held."""

    @abstractmethod
    def _refusal(self, error: Exception) -> Exception:
        """The error for submitters whose commit failed."""

    _idle_seconds: float | None = None
    """The idle time after which `_idle` is called; None for never."""

    def _idle(self) -> None:
        """Maintenance while there is nothing to commit; called with `_writing` held."""

    @abstractmethod
    def _release(self) -> None:
        """Close everything; nothing is written any more."""

    @abstractmethod
    def newest_seq(self) -> int:
        """Sequence number of the last event acknowledged by any node before this call."""

    # Copying

    def adopt(self, contents: LedgerContents) -> None:
        """Copy another ledger's rows, checksums and sequence numbers unchanged.

        This ledger keeps its own id: the other may have continued, and cubes built from it may
        refer to different events at the same positions.

        Stored completely or not at all. Raises Conflict unless this ledger is empty, and Damaged if
        a batch does not follow from the previous one.
        """
        if self.newest_seq() or self.read_conflicts():
            raise Conflict("The ledger to restore into is not empty.", code=ErrorCode.NOT_EMPTY)
        with self._writing:
            self._adopt(contents)

    @abstractmethod
    def _adopt(self, contents: LedgerContents) -> None:
        """Store everything in one transaction; called with `_writing` held."""

    # Writing

    def on_commit(self, listener: Callable[[Sequence[EventRow]], None]) -> None:
        """Call `listener` with the rows of every commit of this process, before its submitters get
        their results.
        """
        self._listeners.append(listener)

    def submit(
        self,
        events: Sequence[UsageEvent],
        *,
        intents: Sequence[Intent] = (),
        settled: Sequence[Settled] = (),
        refused: Refused | None = None,
    ) -> Future[list[Outcome]]:
        """Queue events for the next commit; the future holds one Outcome per event, in order.

        `intents` are recorded, except those passed to `refused`, and those of `settled` are deleted
        in the same transaction. Raises Unavailable, having stored nothing, if the ledger cannot
        accept now.
        """
        with self._lock:
            if self._closing:
                raise Unavailable("The ledger is closing.", code=ErrorCode.SHUTTING_DOWN)
            self._health.check()
            # Copies: the writer thread needs the counted content, whatever callers do next.
            submission = _Submission(
                tuple(events), tuple(intents), tuple(settled), refused, Future()
            )
            if self._pending + submission.size > MAX_PENDING_EVENTS and self._pending:
                raise Unavailable(
                    "Too many events are waiting to be written. Try again in a moment.",
                    code=ErrorCode.OVERLOADED,
                )
            self._pending += submission.size
            self._queue.put(submission)
        return submission.done

    def append(self, events: Sequence[UsageEvent]) -> list[Outcome]:
        """Store events and wait until they are on disk."""
        refuse_on_event_loop("the ledger")
        return self.submit(events).result()

    def _run(self) -> None:
        stop = False
        while not stop:
            try:
                first = self._queue.get(timeout=self._idle_seconds)
            except queue.Empty:
                try:
                    with self._writing:
                        self._idle()
                except Exception:  # the next submitter gets the error; nobody waits for this
                    logger.exception("maintenance of the ledger failed")
                continue
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
        """Commit the submissions together; on failure each of them gets the error."""
        try:
            with self._writing, traced(self.tracer, "ledger.commit", {"outlay.rows": count}):
                outcomes, refusals = self.commit(
                    [event for part in work for event in part.events],
                    [intent for part in work for intent in part.intents],
                    [pair for part in work for pair in part.settled],
                )
            # An error in another thread may have affected this commit.
            self._health.check()
        except Exception as error:
            failure = self._refusal(error)
            for part in work:
                part.done.set_exception(failure)
        else:
            position = 0
            for part in work:
                size = len(part.events)
                if refusals and part.refused is not None:
                    for intent in part.intents:
                        if refusal := refusals.get(intent[:2]):
                            part.refused(intent, refusal)
                part.done.set_result(outcomes[position : position + size])
                position += size
        finally:
            with self._lock:
                self._pending -= count
            with self._committed:
                self._committed.notify_all()

    def _tell(self, batch: Batch) -> None:
        """Notify listeners of a batch committed by this process."""
        self._recent.add(batch)
        self._last_seq = max(self._last_seq, batch.last_seq)
        for listener in self._listeners:
            try:
                listener(batch.rows)
            except Exception:  # the rows are on disk, whatever listeners do
                logger.exception("a listener of the ledger failed")

    def close(self) -> None:
        """Commit pending submissions, stop accepting, close everything."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
            self._queue.put(None)
        self._thread.join()
        self._release()

    def orphans(self) -> list[Intent]:
        """Requests without an outcome whose node is gone; empty with a single node."""
        return []

    # State in memory

    def wait_for_commit(self, after_seq: int, timeout: float) -> bool:
        """Wait up to `timeout` seconds for an event after `after_seq`; returns whether there is
        one.
        """
        with self._committed:
            return self._committed.wait_for(lambda: self._last_seq > after_seq, timeout)

    @property
    def failure(self) -> str | None:
        """Why nothing is accepted until a restart, None if there was no failure."""
        return self._health.failure

    @property
    def refusal(self) -> str | None:
        """Why nothing is accepted now, None if submissions are accepted."""
        return self.failure

    @property
    def buffered(self) -> int:
        """Events and intents in the write-ahead buffer; 0 without one."""
        return 0

    @property
    def last_seq(self) -> int:
        """Sequence number of the last acknowledged event known here, 0 if there is none."""
        return self._last_seq

    @property
    def known_at(self) -> datetime:
        """Every event acknowledged before this instant is at or before `last_seq`."""
        return self._clock.now()

    def recent_batches(self, after_seq: int) -> list[Batch]:
        """Batches after `after_seq` from memory; empty if they are no longer there."""
        return self._recent.after(after_seq)

    @property
    def edition(self) -> str:
        """The ledger's id and its number of rewrites: the edition that a cube is built from."""
        return f"{self.ledger_id}.{self._rewrites}"

    def is_source_of(self, edition: str) -> bool:
        """Whether a cube of an edition was built from this ledger, regardless of rewrites."""
        return edition.partition(".")[0] == self.ledger_id

    def purge(self) -> None:
        """Remove old row versions from the files, after all erasures."""

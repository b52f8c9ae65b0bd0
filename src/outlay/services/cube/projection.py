"""Loading the cube from the ledger: each event exactly once, within about a second.

One thread reads the ledger's batches after the cube's position, sums them and commits the sums
together with the new position. A crash between the two databases loses nothing: loading resumes at
the cube's position.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged, Unavailable
from outlay.domain.period import bucket_at
from outlay.kit.clock import FOREVER_US, Clock, from_us, to_us
from outlay.kit.progress import Progress, Tell, tell_nobody
from outlay.kit.tracing import Tracer, traced
from outlay.kit.worker import Worker
from outlay.storage.cube.aggregation import Deltas, aggregate
from outlay.storage.cube.caching import Changes
from outlay.storage.cube.slot import CubeSlot
from outlay.storage.cube.store import Cube, CubeHome
from outlay.storage.ledger.store import Ledger
from outlay.storage.nodes import Nodes

logger = logging.getLogger(__name__)

LOAD_EVENTS: Final = 20_000
"""Events per load: enough that there are fewer sums than events, and few enough to take half a
second."""

LOAD_PAUSE_SECONDS: Final = 0.5
"""Pause between loads, so that small commits are summed together; well within the 2 s of
freshness."""

UPKEEP_SECONDS: Final = 30
FOLD_EVENTS: Final = 200_000
"""Pending rows are folded after this time or this many events, whichever comes first."""

FOLLOW_SECONDS: Final = 0.2
"""Interval of the check how far another node has loaded a shared cube."""

OUTDATED_SECONDS: Final = 60.0
"""How long after another node's last rewrite of rows the cube is rebuilt here."""

COMPACT_AFTER: Final = timedelta(hours=1)
"""A month with late events is compacted this long after its end."""


class Pending(NamedTuple):
    """Events that are not in the cube yet."""

    after_seq: int
    """The ledger position of the cube."""
    through_seq: int
    since_us: int
    """When the earliest of them was recorded."""


class Projection:
    """Keeps the cube equal to the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        slot: CubeSlot,
        cubes: CubeHome,
        nodes: Nodes,
        clock: Clock,
        tracer: Tracer | None = None,
    ) -> None:
        """`tracer` creates a span for each load."""
        self._ledger = ledger
        self.slot = slot
        """The cube that answers come from."""
        self._cubes = cubes
        self._nodes = nodes
        self._clock = clock
        self._tracer = tracer
        self._loading = threading.Lock()
        self._worker = Worker("cube-loader", self._run)
        self._failure: str | None = None
        self._unfolded = 0
        self._last_upkeep = time.monotonic()
        self._unbuildable = ""
        """The edition of a damaged ledger, from which no cube can be built."""
        self._outdated: tuple[str, float] | None = None
        """The newer edition that the cube was not built from, and since when, in monotonic
        seconds."""
        self.changes = Changes(is_complete=not cubes.is_shared)
        """The days that were changed by loads since the start."""
        self._loaded_seq = 0
        with suppress(Unavailable):  # a shared cube that is unreachable; it is tried again
            self._loaded_seq = self._read_position()
        self._pending = Pending(self._loaded_seq, self._loaded_seq, FOREVER_US)

    def _read_position(self) -> int:
        with self.slot.read() as reader:
            return reader.loaded_seq

    # State

    @property
    def pending_events(self) -> int:
        """Acknowledged events that answers do not include yet."""
        return max(0, self._ledger.last_seq - self._loaded_seq)

    def data_through(self, position: int | None = None) -> datetime:
        """Answers include every acknowledged event that was recorded before this instant.

        That is, answers of a reader with the given position, or else of readers opened from now on.
        It is derived from the position of the cube, so it goes back if the clock does, or if events
        are pending that were recorded while the clock was slow.
        """
        known_at = self._ledger.known_at  # before the position: it must not include what came since
        since_us = self._pending_since_us(self._loaded_seq if position is None else position)
        return from_us(since_us) if since_us < to_us(known_at) else known_at

    def _pending_since_us(self, loaded: int) -> int:
        """When the earliest of the events after a position was recorded.

        Not necessarily the first of them: clocks are set back, and those of nodes differ. Only
        batches since the last call are examined.
        """
        last, known = self._ledger.last_seq, self._pending
        if known.after_seq != loaded:
            known = Pending(loaded, loaded, FOREVER_US)
        if known.through_seq < last:
            since_us = self._ledger.recorded_from(known.through_seq, last)
            known = Pending(loaded, last, min(known.since_us, since_us))
        self._pending = known
        return known.since_us

    @property
    def failure(self) -> str | None:
        """Why loading has stopped; None if it is running."""
        return self._failure

    # Loading

    def start(self) -> None:
        """Load in the background until stopped."""
        self._worker.start()

    def stop(self) -> None:
        """Finish the current load and end the thread."""
        self._worker.stop()

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self._ledger.wait_for_commit(self._loaded_seq, timeout=1.0)
                self.work_once()
            except Exception as error:
                # The ledger still accepts events; pages show their freshness.
                self._failure = str(error)
                logger.exception("loading the cube failed; trying again in 5 s")
                stop.wait(5.0)
            else:
                self._failure = None
                stop.wait(LOAD_PAUSE_SECONDS)

    def work_once(self) -> None:
        """Load, fold and compact what is due, if this node loads the cube; called repeatedly."""
        if not self._is_loader():
            return
        if self._is_stale():
            self._replace_stale()
        if self.pending_events:
            self.catch_up()
        now = time.monotonic()
        is_due = now - self._last_upkeep >= UPKEEP_SECONDS
        if is_due:
            self._last_upkeep = now
            self._cubes.drop_replaced()
        if self._unfolded >= FOLD_EVENTS or (self._unfolded and is_due):
            self.fold()
        elif not self.pending_events:
            with self._loading:
                self.slot.cube.compact_one(bucket_at(self._clock.now() - COMPACT_AFTER))

    def _replace_stale(self) -> None:
        """Rebuild the cube; keep the current one if the ledger is damaged.

        It has all events from before the damage, and new events must not wait for a repair.
        """
        try:
            self.rebuild()
        except Damaged as error:
            self._unbuildable = self._ledger.edition
            logger.error("the cube cannot be rebuilt: %s", error.message)  # noqa: TRY400 - no traceback

    def _is_loader(self) -> bool:
        """Whether this node loads the cube; for a shared one, read its position."""
        if not self._cubes.is_shared:
            return True
        with self._loading:
            if not self._cubes.is_present(self.slot.cube):
                self.slot.exchange(lambda: self._cubes.open(self._ledger.edition))
            self._loaded_seq = self._read_position()
        return self._nodes.lead()

    def catch_up(self) -> None:
        """Load until everything acknowledged before this call is in the cube."""
        for _ in self.load_steps():
            pass

    def load_steps(self) -> Iterator[Progress]:
        """Load everything acknowledged before this call, step by step."""
        target = self._ledger.newest_seq()
        while self._loaded_seq < target:
            if not self._is_loader():
                time.sleep(FOLLOW_SECONDS)
                yield Progress("events", min(self._loaded_seq, target), target)
                continue
            with self._loading:
                if self._loaded_seq >= target:  # another thread has loaded it in the meantime
                    break
                self._load_once(self.slot.cube)
            yield Progress("events", min(self._loaded_seq, target), target)

    def _load_once(self, cube: Cube) -> None:
        with traced(self._tracer, "cube.load", {"outlay.after_seq": self._loaded_seq}):
            through = load_some(self._ledger, cube, self._loaded_seq, self.changes.note)
        self._unfolded += through - self._loaded_seq
        self._loaded_seq = through

    def fold(self) -> None:
        """Fold pending rows into the rollups."""
        with self._loading:
            self.slot.cube.fold()
            self._unfolded = 0

    # Rebuilding

    def _is_stale(self) -> bool:
        """Whether another node rewrote rows some time ago and did not rebuild the cube.

        A rewrite on this node rebuilds the cube itself.
        """
        if not self.is_outdated or self._unbuildable == self._ledger.edition:
            self._outdated = None
            return False
        edition, now = self._ledger.edition, time.monotonic()
        if self._outdated is None or self._outdated[0] != edition:  # still being rewritten
            self._outdated = (edition, now)
        return now - self._outdated[1] > OUTDATED_SECONDS

    @property
    def is_outdated(self) -> bool:
        """Whether the current cube was built from other rows than the ledger has now."""
        is_ahead = self._loaded_seq > self._ledger.last_seq
        return self.slot.cube.edition != self._ledger.edition or is_ahead

    def rebuild(self, tell: Tell = tell_nobody) -> None:
        """Build a new cube from the ledger, then replace the current one.

        The current cube answers questions until the new one has caught up.
        """
        with self._nodes.alone("rebuild"):
            fresh = self._cubes.fresh(self._ledger.edition)
            try:
                with self._loading:
                    for progress in fill(self._ledger, fresh):
                        tell(progress)
                    with fresh.read() as reader:
                        self._loaded_seq = reader.loaded_seq
                    self.slot.exchange(lambda: self._cubes.install(fresh, self.slot.cube))
            finally:
                fresh.close()
                self._cubes.discard()

    def release(self) -> None:
        """Close the current cube."""
        self.slot.cube.close()


def load_some(
    ledger: Ledger,
    cube: Cube,
    after_seq: int,
    note: Callable[[Deltas, int], None] = lambda _, __: None,
) -> int:
    """Load the next batches after `after_seq` into the cube; returns the new position.

    `note` is called before, with what is about to be loaded and the position it ends at.
    """
    last = after_seq
    batches = []
    for batch in ledger.recent_batches(after_seq) or ledger.read_batches(after_seq):
        batches.append(batch)
        last = batch.last_seq
        if last - after_seq >= LOAD_EVENTS:
            break
    if last == after_seq:
        raise Damaged(
            f"The ledger has no batch after event {after_seq}. Rebuild the cube with `outlay "
            "rebuild`.",
            code=ErrorCode.LEDGER_GAP,
        )
    through = cube.plan(after_seq, last)
    if through > last:
        batches = [each for each in ledger.read_batches(after_seq) if each.last_seq <= through]
    deltas = Deltas()
    for batch in batches:
        if batch.last_seq <= through:
            aggregate(batch.rows, deltas)
    note(deltas, through)
    cube.load(deltas, from_seq=after_seq, through_seq=through)
    return through


def fill(ledger: Ledger, cube: Cube, after_seq: int = 0) -> Iterator[Progress]:
    """Load the events after `after_seq` into a cube; a new cube is also compacted."""
    loaded, unfolded = after_seq, 0
    while loaded < (target := ledger.newest_seq()):
        through = load_some(ledger, cube, loaded)
        unfolded += through - loaded
        loaded = through
        if unfolded >= FOLD_EVENTS:
            cube.fold()
            unfolded = 0
        yield Progress("events", loaded, target)
    if after_seq:
        return  # the rest is loaded while the cube is served
    cube.fold()
    while cube.compact_one(before_bucket=2**31 - 1):
        pass

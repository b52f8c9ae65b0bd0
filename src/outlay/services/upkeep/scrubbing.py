"""Verifies all stored data once a week, so that damage is found while backups are recent.

That is ledger batches, refused events, every row of the directory, and the audit trail with its
checkpoints. It runs in the background on the leading node, with a small share of one processor. The
position is on disk, so a round can be continued after a restart or by another node. The cube is
derived from the ledger and verified by `outlay verify`.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from outlay.domain.errors import Unavailable
from outlay.kit.clock import Clock, in_us, to_us
from outlay.kit.throttle import Throttle
from outlay.kit.worker import Worker
from outlay.services.directory.audit_log import Audit
from outlay.storage.directory.digests import covered_tables
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.scrubs import ScrubState, find_scrub, put_scrub
from outlay.storage.ledger.scrubbing import Scrubbed, scrub_batches, scrub_conflicts
from outlay.storage.ledger.store import Ledger
from outlay.storage.nodes import Nodes

logger = logging.getLogger(__name__)

EVERY: Final = timedelta(days=7)
"""Time between the end of a round and the start of the next one."""
SHARE: Final = 0.05
"""Share of one processor."""
LOOK_SECONDS: Final = 60.0
"""Between two checks for a due round."""
SAVE_SECONDS: Final = 30.0
"""Between two saves of the position."""
MAX_FAULTS: Final = 100
"""Maximum number of stored faults."""


class Scrubbing:
    """Verifies all stored data, round after round."""

    def __init__(
        self, ledger: Ledger, directory: Directory, audit: Audit, nodes: Nodes, clock: Clock
    ) -> None:
        self._ledger = ledger
        self._directory = directory
        self._audit = audit
        self._nodes = nodes
        self._clock = clock
        self._worker = Worker("scrub", self.run)
        self._stages: tuple[Callable[[int], Scrubbed], ...] = (
            lambda position: scrub_batches(ledger, position),
            lambda position: scrub_conflicts(ledger, position),
            self._scrub_table,
            self._scrub_trail,
        )
        self._state = ScrubState()
        self._saved = 0.0
        self.refresh()

    def refresh(self) -> None:
        """Reload the progress, which another node may have advanced."""
        with self._directory.read() as session:
            self._state = find_scrub(session)

    @property
    def faults(self) -> list[str]:
        """The faults found by the last complete round, and additionally by the current one."""
        return list(dict.fromkeys([*self._state.found, *self._state.faults]))

    @property
    def state(self) -> ScrubState:
        """The progress known to this node."""
        return self._state

    def start(self) -> None:
        """Scrub in the background, on the leading node, until stopped."""
        self._worker.start()

    def stop(self) -> None:
        """Stop the thread after the current piece of work."""
        self._worker.stop()

    def run(self, stop: threading.Event) -> None:
        """Scrub immediately and then repeatedly until `stop` is set; runs in the thread."""
        throttle = Throttle(SHARE, stop.wait)
        while not stop.is_set():
            try:
                is_due = self._nodes.lead() and self.is_due()
                if is_due:
                    self.run_some(0.0)
            except Unavailable as error:
                logger.debug("the scrub is waiting: %s", error.message)
                is_due = False
            except Exception:
                logger.exception("the scrub was interrupted; trying again in a minute")
                is_due = False
            if is_due:
                throttle.pause()
            else:
                stop.wait(LOOK_SECONDS)
                self._look_again()
                throttle = Throttle(SHARE, stop.wait)
        self._save_quietly()

    def is_due(self) -> bool:
        """Whether a round is under way or the last one ended long enough ago."""
        state = self._state
        if state.begun_at_us is not None or state.finished_at_us is None:
            return True
        elapsed = to_us(self._clock.now()) - state.finished_at_us
        # A round that ended in the future ended while the clock was ahead.
        return elapsed >= in_us(EVERY) or elapsed < 0

    def _look_again(self) -> None:
        """Reload the progress if another node has advanced it."""
        try:
            self.refresh()
        except Unavailable as error:
            logger.debug("the scrub is waiting: %s", error.message)

    def run_some(self, seconds: float) -> bool:
        """Continue the round for about this many seconds, at least one piece; returns whether it
        ended."""
        until = time.monotonic() + seconds
        state = self._state
        if state.begun_at_us is None:
            self._state = state = ScrubState(
                begun_at_us=to_us(self._clock.now()),
                finished_at_us=state.finished_at_us,
                found=state.found,
            )
        while state.stage < len(self._stages):
            position, is_end, faults = self._stages[state.stage](state.position)
            for fault in faults:
                logger.error("the scrub found damage: %s", fault)
            state.faults = [*state.faults, *faults][:MAX_FAULTS]
            state.position = position
            if is_end:
                state.stage, state.position = state.stage + 1, 0
            if faults or time.monotonic() - self._saved > SAVE_SECONDS:
                self._save()
            if time.monotonic() >= until and state.stage < len(self._stages):
                return False
        self._finish()
        return True

    def _finish(self) -> None:
        faults, now_us = self._state.faults, to_us(self._clock.now())
        self._state = ScrubState(finished_at_us=now_us, found=faults)
        with self._directory.change() as session:
            put_scrub(session, self._state)
        if faults:
            logger.error("the scrub has finished with %d faults", len(faults))
        else:
            logger.info("the scrub has finished without faults")

    def _save(self) -> None:
        with self._directory.write() as session:
            put_scrub(session, self._state)
        self._saved = time.monotonic()

    def _save_quietly(self) -> None:
        if self._state.begun_at_us is None:
            return
        try:
            self._save()
        except Exception:
            logger.debug("the position of the scrub could not be saved", exc_info=True)

    def _scrub_table(self, number: int) -> Scrubbed:
        tables = covered_tables()
        faults = self._directory.faults(tables[number])
        return Scrubbed(number + 1, number + 1 == len(tables), [str(fault) for fault in faults])

    def _scrub_trail(self, position: int) -> Scrubbed:
        return Scrubbed(position, True, self._audit.verify_trail().faults)

"""Everything that is stored is read once a week, so that damage is found while backups are young.

Ledger batches, refused events, every row of the directory, the audit trail with its checkpoints. In
the background, on a small share of one processor, by the one node that leads; the position is on
disk, so a round goes on where it was, whoever goes on with it. The cube is made of the ledger and
compared with it by `outlay verify`.
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
"""From the end of a round to the beginning of the next one."""
SHARE: Final = 0.05
"""Of one processor."""
LOOK_SECONDS: Final = 60.0
"""Between two looks at whether a round is due."""
SAVE_SECONDS: Final = 30.0
"""Between two notes of the position."""
MAX_FAULTS: Final = 100
"""Faults that are kept; there may be more."""


class Scrubbing:
    """Reads everything that is stored, round after round."""

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
        """Read again how far it has come, which another node may know better."""
        with self._directory.read() as session:
            self._state = find_scrub(session)

    @property
    def faults(self) -> list[str]:
        """What the last whole round found, and the one under way has found beyond that."""
        return list(dict.fromkeys([*self._state.found, *self._state.faults]))

    @property
    def state(self) -> ScrubState:
        """How far it has come, as far as this node knows."""
        return self._state

    def start(self) -> None:
        """Scrub in the background, if this node leads, until stopped."""
        self._worker.start()

    def stop(self) -> None:
        """End the thread after the piece of work under way."""
        self._worker.stop()

    def run(self, stop: threading.Event) -> None:
        """Scrub now and then until `stop` is set; the work of the thread."""
        throttle = Throttle(SHARE, stop.wait)
        while not stop.is_set():
            try:
                is_due = self._nodes.lead() and self.is_due()
                if is_due:
                    self.run_some(0.0)
            except Unavailable as error:
                logger.debug("the scrub waits: %s", error.message)
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
        # One that ended in the future ended while the clock was ahead.
        return elapsed >= in_us(EVERY) or elapsed < 0

    def _look_again(self) -> None:
        """See what another node has done meanwhile, where one did."""
        try:
            self.refresh()
        except Unavailable as error:
            logger.debug("the scrub waits: %s", error.message)

    def run_some(self, seconds: float) -> bool:
        """Go on with the round for about so many seconds, one piece at least; whether it ended."""
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
            logger.error("the scrub has read everything and found %d faults", len(faults))
        else:
            logger.info("the scrub has read everything and found it as it was written")

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
            logger.debug("the position of the scrub could not be noted", exc_info=True)

    def _scrub_table(self, number: int) -> Scrubbed:
        tables = covered_tables()
        faults = self._directory.faults(tables[number])
        return Scrubbed(number + 1, number + 1 == len(tables), [str(fault) for fault in faults])

    def _scrub_trail(self, position: int) -> Scrubbed:
        return Scrubbed(position, True, self._audit.verify_trail().faults)

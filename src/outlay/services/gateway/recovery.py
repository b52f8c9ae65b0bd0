"""Recovery of outcomes and open requests that earlier processes left behind."""

import logging
import threading
from collections.abc import Sequence
from typing import Final

from outlay.domain.errors import Unavailable
from outlay.kit.batches import batched
from outlay.kit.worker import Worker
from outlay.services.gateway.gateway import interrupted
from outlay.services.recording.recorder import Recorder
from outlay.storage.ledger.rescue import RescueFile
from outlay.storage.ledger.rows import Intent
from outlay.storage.ledger.store import MAX_COMMIT_EVENTS, Ledger

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 60.0


class Recovery:
    """Settles requests left open by this node's predecessor and by nodes that are gone."""

    def __init__(self, ledger: Ledger, recorder: Recorder, rescue: RescueFile) -> None:
        self._ledger = ledger
        self._recorder = recorder
        self._rescue = rescue
        self._worker = Worker("recovery", self._run)

    def settle_own(self) -> int:
        """Settle what this node left open when it ended; returns how much. Call it before serving.

        Outcomes in the rescue file go first: requests still open after that have no outcome
        anywhere.
        """
        return self._take_rescued() + self._settle(self._ledger.intents())

    def _take_rescued(self) -> int:
        events = self._rescue.read()
        for some in batched(events, MAX_COMMIT_EVENTS):
            settled = [(event.organization_id, event.event_id) for event in some]
            self._ledger.submit(some, settled=settled).result()
        if events:
            logger.warning("%d outcomes of the rescue file were recorded", len(events))
            self._rescue.clear()
        return len(events)

    def start(self) -> None:
        """Settle the open requests of other nodes in the background, until stopped."""
        self._worker.start()

    def stop(self) -> None:
        """Stop the thread."""
        self._worker.stop()

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(LOOK_SECONDS):
            try:
                if settled := self._settle(self._ledger.orphans()):
                    logger.warning("settled %d requests of nodes that are gone", settled)
            except Unavailable as error:
                logger.debug("%s", error.message)
            except Exception:
                logger.exception("open requests of other nodes could not be settled")

    def _settle(self, intents: Sequence[Intent]) -> int:
        """Their usage is unknown: the provider may have answered, but there is no count."""
        events = []
        for intent in intents:
            report = interrupted(intent)
            event = self._recorder.event(intent.organization_id, report, report.event_time_us)
            events.append(event)
        if events:
            settled = [(intent.organization_id, intent.event_id) for intent in intents]
            self._ledger.submit(events, settled=settled).result()
        return len(events)

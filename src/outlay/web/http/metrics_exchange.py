"""What processes that serve together tell each other of their metrics, through their data folder.

A scrape reaches one of them; it answers for all.
"""

import logging
import threading
from collections.abc import Callable
from typing import Final

import msgspec

from outlay.kit.clock import Clock
from outlay.kit.worker import Worker
from outlay.settings import Settings
from outlay.web.http.metrics import Snapshot

logger = logging.getLogger(__name__)

WRITE_SECONDS: Final = 2.0

STALE_SECONDS: Final = 30.0
"""A process that has written nothing for so long is gone."""


class MetricsExchange:
    """Writes this process's snapshot now and then, reads those of the others."""

    def __init__(self, settings: Settings, clock: Clock, take: Callable[[], Snapshot]) -> None:
        """`take` gives what this process has counted."""
        self._settings = settings
        self._clock = clock
        self._take = take
        self._worker = Worker("metrics", self._run)

    def start(self) -> None:
        """Write in the background until stopped, if there are others to read it."""
        if self._settings.workers > 1:
            self._worker.start()

    def stop(self) -> None:
        """End the thread; what was written goes with the process."""
        self._worker.stop()
        self._settings.metrics_path(self._settings.worker).unlink(missing_ok=True)

    def others(self) -> list[Snapshot]:
        """What the other processes had counted a moment ago."""
        found = []
        for number in range(self._settings.workers):
            path = self._settings.metrics_path(number)
            try:
                age = self._clock.now().timestamp() - path.stat().st_mtime
                if number == self._settings.worker or age > STALE_SECONDS:
                    continue
                found.append(msgspec.json.decode(path.read_bytes(), type=Snapshot))
            except (OSError, msgspec.MsgspecError):
                continue  # it is only just starting, or not there any more
        return found

    def write(self) -> None:
        """Let the others know what this process has counted."""
        path = self._settings.metrics_path(self._settings.worker)
        part = path.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(self._take()))
        part.replace(path)

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(WRITE_SECONDS):
            try:
                self.write()
            except OSError as error:
                logger.warning("the metrics cannot be shared: %s", error)

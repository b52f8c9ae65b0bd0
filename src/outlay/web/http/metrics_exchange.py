"""Exchange of metrics between worker processes, through files in the data folder.

A scrape reaches one of them, which answers for all.
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
"""A process that has not written for this long is considered gone."""


class MetricsExchange:
    """Writes this process's snapshot periodically and reads those of the others."""

    def __init__(self, settings: Settings, clock: Clock, take: Callable[[], Snapshot]) -> None:
        """`take` returns a snapshot of this process."""
        self._settings = settings
        self._clock = clock
        self._take = take
        self._worker = Worker("metrics", self._run)

    def start(self) -> None:
        """Write in the background until stopped, if there are other processes."""
        if self._settings.workers > 1:
            self._worker.start()

    def stop(self) -> None:
        """Stop the thread and delete this process's file."""
        self._worker.stop()
        self._settings.metrics_path(self._settings.worker).unlink(missing_ok=True)

    def others(self) -> list[Snapshot]:
        """The latest snapshots of the other processes."""
        found = []
        for number in range(self._settings.workers):
            path = self._settings.metrics_path(number)
            try:
                age = self._clock.now().timestamp() - path.stat().st_mtime
                if number == self._settings.worker or age > STALE_SECONDS:
                    continue
                found.append(msgspec.json.decode(path.read_bytes(), type=Snapshot))
            except (OSError, msgspec.MsgspecError):
                continue  # it is just starting or has ended
        return found

    def write(self) -> None:
        """Write this process's snapshot."""
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

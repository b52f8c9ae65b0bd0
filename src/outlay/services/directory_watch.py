"""Noticing that the directory has changed, whoever changed it, within a quarter of a second."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from outlay.domain.errors import Unavailable
from outlay.kit.worker import Worker
from outlay.storage.directory.engine import Directory

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.25


class DirectoryWatch:
    """Refreshes what is kept in memory of the directory when its revision moves."""

    def __init__(self, directory: Directory, refresh: Sequence[Callable[[], None]]) -> None:
        self._directory = directory
        self._refresh = refresh
        self._revision = directory.revision()
        self._worker = Worker("directory-watch", self._run)

    def start(self) -> None:
        """Look in the background until stopped."""
        self._worker.start()

    def stop(self) -> None:
        """End the thread."""
        self._worker.stop()

    def check(self) -> None:
        """Refresh if the directory has changed since the last look."""
        revision = self._directory.revision()
        if revision != self._revision:
            for refresh in self._refresh:
                refresh()
            self._revision = revision

    def _run(self, stop: threading.Event) -> None:
        is_away = False
        while not stop.wait(POLL_SECONDS):
            try:
                self.check()
                is_away = False
            except Unavailable as error:
                if not is_away:
                    logger.warning("the directory cannot be read: %s", error.message)
                is_away = True
            except Exception:
                logger.exception("the directory could not be read; trying again")

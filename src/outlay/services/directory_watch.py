"""Noticing that the directory has changed, whoever changed it, within a quarter of a second."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from outlay.storage.directory.engine import Directory

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.25


class DirectoryWatch:
    """Refreshes what is kept in memory of the directory when its revision moves."""

    def __init__(self, directory: Directory, refresh: Sequence[Callable[[], None]]) -> None:
        self._directory = directory
        self._refresh = refresh
        self._revision = directory.revision()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look in the background until stopped."""
        self._thread = threading.Thread(target=self._run, name="directory-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def check(self) -> None:
        """Refresh if the directory has changed since the last look."""
        revision = self._directory.revision()
        if revision != self._revision:
            for refresh in self._refresh:
                refresh()
            self._revision = revision

    def _run(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                self.check()
            except Exception:
                logger.exception("the directory could not be read; trying again")

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
    """Refreshes what is kept in memory of the directory when its revision moves.

    What must not wait for anything else, as the end of an API key, has a thread of its own.
    """

    def __init__(
        self,
        directory: Directory,
        refresh: Sequence[Callable[[], None]],
        *,
        urgent: Callable[[], None],
    ) -> None:
        self._followers = (
            _Follower(directory, "directory-watch-urgent", (urgent,)),
            _Follower(directory, "directory-watch", refresh),
        )

    def start(self) -> None:
        """Look in the background until stopped."""
        for follower in self._followers:
            follower.worker.start()

    def stop(self) -> None:
        """End the threads."""
        for follower in self._followers:
            follower.worker.stop()

    def check(self) -> None:
        """Refresh if the directory has changed since the last look."""
        for follower in self._followers:
            follower.check()


class _Follower:
    """Some of what is kept in memory, as of one revision."""

    def __init__(
        self, directory: Directory, name: str, refresh: Sequence[Callable[[], None]]
    ) -> None:
        self._directory = directory
        self._refresh = refresh
        self._revision = directory.revision()
        self.worker = Worker(name, self._run)

    def check(self) -> None:
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

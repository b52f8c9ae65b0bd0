"""Detecting directory changes by any process, within a quarter of a second."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from outlay.domain.errors import Damaged, Unavailable
from outlay.kit.worker import Worker
from outlay.storage.directory.engine import Directory

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.25


class DirectoryWatch:
    """Refreshes caches of directory data when the directory's revision changes.

    Caches that must not wait for others, such as that of API keys, have their own thread.
    """

    def __init__(
        self,
        directory: Directory,
        refresh: Sequence[Callable[[], None]],
        *,
        urgent: Sequence[Callable[[], None]],
    ) -> None:
        self._followers = (
            _Follower(directory, "directory-watch-urgent", urgent),
            _Follower(directory, "directory-watch", refresh),
        )

    def start(self) -> None:
        """Poll in the background until stopped."""
        for follower in self._followers:
            follower.worker.start()

    def stop(self) -> None:
        """Stop the threads."""
        for follower in self._followers:
            follower.worker.stop()

    @property
    def is_unreachable(self) -> bool:
        """Whether the directory was unreachable at the last poll."""
        return any(follower.is_unreachable for follower in self._followers)

    def check(self) -> None:
        """Refresh if the directory has changed since the last poll."""
        for follower in self._followers:
            follower.check()


class _Follower:
    """Some caches, as of one revision."""

    def __init__(
        self, directory: Directory, name: str, refresh: Sequence[Callable[[], None]]
    ) -> None:
        self._directory = directory
        self._refresh = refresh
        self._revision = directory.revision()
        self.is_unreachable = False
        self.worker = Worker(name, self._run)

    def check(self) -> None:
        """Refresh if the directory has changed.

        A cache that cannot be refreshed, because a row is damaged, does not stop the others. The
        first error is raised at the end.
        """
        revision = self._directory.revision()
        if revision == self._revision:
            return
        failure: Damaged | None = None
        for refresh in self._refresh:
            try:
                refresh()
            except Damaged as error:
                failure = failure or error
        if failure is not None:
            raise failure
        self._revision = revision

    def _run(self, stop: threading.Event) -> None:
        reported = ""
        while not stop.wait(POLL_SECONDS):
            try:
                self.check()
                self.is_unreachable, reported = False, ""
            except Unavailable as error:
                if not self.is_unreachable:
                    logger.warning("the directory cannot be read: %s", error.message)
                self.is_unreachable = True
            except Damaged as error:
                if error.message != reported:
                    logger.warning("cached data is not up to date: %s", error.message)
                reported = error.message
            except Exception:
                logger.exception("the directory could not be read; trying again")

"""Noticing that the directory has changed, whoever changed it, within a quarter of a second."""

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
    """Refreshes what is kept in memory of the directory when its revision moves.

    What must not wait for anything else, as the end of an API key, has a thread of its own.
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
        """Look in the background until stopped."""
        for follower in self._followers:
            follower.worker.start()

    def stop(self) -> None:
        """End the threads."""
        for follower in self._followers:
            follower.worker.stop()

    @property
    def is_unreachable(self) -> bool:
        """Whether the directory did not answer at the last look."""
        return any(follower.is_unreachable for follower in self._followers)

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
        self.is_unreachable = False
        self.worker = Worker(name, self._run)

    def check(self) -> None:
        """Refresh if the directory has changed.

        What cannot be refreshed, as a row is damaged, keeps nothing else from being refreshed. The
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
        told = ""
        while not stop.wait(POLL_SECONDS):
            try:
                self.check()
                self.is_unreachable, told = False, ""
            except Unavailable as error:
                if not self.is_unreachable:
                    logger.warning("the directory cannot be read: %s", error.message)
                self.is_unreachable = True
            except Damaged as error:
                if error.message != told:
                    logger.warning("what is kept in memory is not up to date: %s", error.message)
                told = error.message
            except Exception:
                logger.exception("the directory could not be read; trying again")

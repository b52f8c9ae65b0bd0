"""Long-running work in its own thread, whose progress can be followed.

The work does not depend on its followers: one that disconnects leaves nothing held.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Generic, TypeVar

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import OutlayError, Unavailable
from outlay.kit.progress import Progress

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS: Final = 2.0
"""Progress is repeated after this time, which reveals a disconnected follower."""

Result = TypeVar("Result")


class Stopped(Unavailable):
    """The work was stopped before it finished."""

    default_code = ErrorCode.STOPPED


@dataclass(slots=True, kw_only=True)
class LongRun(Generic[Result]):
    """One long-running piece of work."""

    what: str
    """A name for messages, such as `a verification`."""
    asked_by: str
    since: datetime
    gives_way: bool = False
    """Whether it is stopped when other work is requested."""
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _stop: threading.Event = field(default_factory=threading.Event)
    _progress: Progress | None = None
    _changes: int = 0
    _is_over: bool = False
    _result: Result | None = None
    _error: BaseException | None = None
    _thread: threading.Thread | None = None

    def start(self, work: Callable[["LongRun[Result]"], Result], end: Callable[[], None]) -> None:
        """Start; `end` is called when the work has ended, in any way, before followers are
        notified.
        """
        self._thread = threading.Thread(
            target=self._run, args=(work, end), name="maintenance", daemon=True
        )
        self._thread.start()

    def _run(self, work: Callable[["LongRun[Result]"], Result], end: Callable[[], None]) -> None:
        try:
            self._result = work(self)
        except OutlayError as error:
            self._error = error
        except BaseException as error:
            logger.exception("%s failed", self.what)
            self._error = error
        finally:
            end()
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    # For the work

    def tell(self, progress: Progress) -> None:
        """Report progress; raises Stopped if the work is to stop."""
        self.check()
        with self._changed:
            self._progress = progress
            self._changes += 1
            self._changed.notify_all()

    def check(self) -> None:
        """Raise Stopped if the work is to stop."""
        if self._stop.is_set():
            raise Stopped(f"{self.what} was stopped before it finished.")

    def sleep(self, seconds: float) -> None:
        """Sleep; returns early if the work is to stop."""
        self._stop.wait(seconds)

    # For followers

    def stop(self) -> None:
        """Request the work to stop."""
        self._stop.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end; returns whether it has ended."""
        with self._changed:
            return self._changed.wait_for(lambda: self._is_over, timeout)

    def follow(self) -> Iterator[Progress]:
        """Progress reports until the end. There may be any number of followers."""
        seen = 0
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._is_over or self._changes > seen,  # noqa: B023 - called at once
                    HEARTBEAT_SECONDS,
                )
                progress, is_news, is_over = self._progress, self._changes > seen, self._is_over
                seen = self._changes
            if progress is not None and (is_news or not is_over):
                yield progress
            if is_over:
                return

    def result(self) -> Result:
        """The result; raises the exception that the work raised."""
        self.join()
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # there is one without an error

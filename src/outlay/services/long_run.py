"""Long work in a thread of its own; who wants to know how far it is follows it from outside.

The work does not depend on who follows: a follower that goes away leaves nothing held.
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
"""A follower is told the same again after this time, and so may notice that it is not heard."""

Result = TypeVar("Result")


class Stopped(Unavailable):
    """The work was told to end before it was done."""

    default_code = ErrorCode.STOPPED


@dataclass(slots=True, kw_only=True)
class LongRun(Generic[Result]):
    """One piece of work, from its start to its end."""

    what: str
    """`a verification`, as a sentence names it."""
    asked_by: str
    since: datetime
    gives_way: bool = False
    """Whether it is stopped when somebody asks for other work."""
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _stop: threading.Event = field(default_factory=threading.Event)
    _progress: Progress | None = None
    _changes: int = 0
    _is_over: bool = False
    _result: Result | None = None
    _error: BaseException | None = None
    _thread: threading.Thread | None = None

    def start(self, work: Callable[["LongRun[Result]"], Result], end: Callable[[], None]) -> None:
        """Begin; `end` is called when the work is over, however it ends, before anybody hears."""
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
        """Say how far it is; raises Stopped when it is to end."""
        self.check()
        with self._changed:
            self._progress = progress
            self._changes += 1
            self._changed.notify_all()

    def check(self) -> None:
        """Raise Stopped when it is to end."""
        if self._stop.is_set():
            raise Stopped(f"{self.what} was stopped before its end")

    def sleep(self, seconds: float) -> None:
        """Wait, or shorter when it is to end."""
        self._stop.wait(seconds)

    # For others

    def stop(self) -> None:
        """Have it end soon."""
        self._stop.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for its end; whether it is over."""
        with self._changed:
            return self._changed.wait_for(lambda: self._is_over, timeout)

    def follow(self) -> Iterator[Progress]:
        """How far it is, whenever that changes, until it is over. Any number may follow."""
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
        """What came of it; raises what the work raised."""
        self.join()
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # there is one without an error

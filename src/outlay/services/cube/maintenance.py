"""Long tasks on a whole installation: verification, rebuild, and erasure of personal data.

One task runs at a time, in its own thread. A verification also runs on a schedule, every night and
after every rebuild; any other task interrupts it.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Unavailable
from outlay.domain.verification import Verified, VerifyReport
from outlay.kit.clock import Clock
from outlay.kit.progress import Progress
from outlay.kit.worker import Worker
from outlay.services.cube.projection import Projection
from outlay.services.cube.verification import FULL_EFFORT, SHARED_EFFORT, Effort, Verification
from outlay.services.long_run import LongRun, Stopped
from outlay.storage.ledger.store import Ledger
from outlay.storage.nodes import Nodes

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 30.0
"""Interval of the check whether a verification is due."""
SETTLE: Final = timedelta(minutes=5)
"""Delay after a start before a due verification begins."""
RETRY_AFTER: Final = timedelta(hours=1)
"""Delay after a failed verification."""
STOP_SECONDS: Final = 60.0
DAY: Final = timedelta(days=1)

Result = TypeVar("Result")


class Maintenance:
    """Runs long tasks on the whole installation, one at a time. Thread-safe."""

    def __init__(
        self,
        ledger: Ledger,
        projection: Projection,
        verification: Verification,
        nodes: Nodes,
        clock: Clock,
        *,
        verify_hour: int | None,
        is_rebuilt: bool = False,
    ) -> None:
        """`verify_hour` is the UTC hour of scheduled verifications; None for never.

        `is_rebuilt` says that the cube was just rebuilt at startup.
        """
        self._ledger = ledger
        self._projection = projection
        self._verification = verification
        self._nodes = nodes
        self._clock = clock
        self._verify_hour = verify_hour
        self._free = threading.Condition()
        self._running: LongRun[Any] | None = None
        self._is_closed = False
        self._is_rebuilt = is_rebuilt
        self._not_before = clock.now() + SETTLE
        self._worker = Worker("verifier", self._run)

    # On request

    def verify(self, asked_by: str = "the operator") -> Iterator[Progress | VerifyReport]:
        """Verify that ledger and cube are equal; yields progress, and finally the report.

        It has started when this returns, and continues whether or not anyone follows it. Raises
        Unavailable, naming the running task, while there is one.
        """
        return _followed(self._begin("a verification", asked_by, self._verify(FULL_EFFORT)))

    def rebuild(self, asked_by: str = "the operator") -> Iterator[Progress]:
        """Rebuild the cube from the ledger while the current one answers."""

        def rebuild(run: LongRun[None]) -> None:
            self._projection.rebuild(run.tell)
            self._is_rebuilt = True

        run = self._begin("a rebuild", asked_by, rebuild)

        def follow() -> Iterator[Progress]:
            yield from run.follow()
            run.result()

        return follow()

    def rewrite(self, change: Callable[[], int], asked_by: str = "an administrator") -> int:
        """Run `change`, which rewrites rows of the ledger, and rebuild the cube; returns its
        result.

        The cube is also rebuilt if an earlier call was interrupted.
        """

        def rewrite(run: LongRun[int]) -> int:
            try:
                changed = change()
            finally:
                if self._projection.is_outdated:
                    self._ledger.purge()
            if self._projection.is_outdated:
                self._projection.rebuild(run.tell)
                self._is_rebuilt = True
            return changed

        return self._begin("an erasure", asked_by, rewrite).result()

    def _verify(self, effort: Effort) -> Callable[[LongRun[VerifyReport]], VerifyReport]:
        def verify(run: LongRun[VerifyReport]) -> VerifyReport:
            report = self._verification.run(run, effort)
            self._is_rebuilt = False
            return report

        return verify

    def _begin(
        self,
        what: str,
        asked_by: str,
        work: Callable[[LongRun[Result]], Result],
        *,
        gives_way: bool = False,
    ) -> LongRun[Result]:
        """Start a task unless one is running; a background verification is stopped for it."""
        with self._free:
            while (running := self._running) is not None:
                if gives_way or not running.gives_way:
                    raise Unavailable(
                        f"{running.what}, started by {running.asked_by} at "
                        f"{running.since:%Y-%m-%d %H:%M:%S} UTC, is still running. Try again when "
                        "it has finished.",
                        code=ErrorCode.BUSY,
                    )
                running.stop()
                self._free.wait()
            if self._is_closed:
                raise Unavailable(
                    "This process is shutting down. Try again when it has restarted.",
                    code=ErrorCode.STOPPING,
                )
            run = LongRun[Result](
                what=what, asked_by=asked_by, since=self._clock.now(), gives_way=gives_way
            )
            # The task cannot end before this returns: its end waits for the same lock.
            run.start(work, self._end)
            self._running = run
        return run

    @property
    def is_busy(self) -> bool:
        """Whether a task is running."""
        return self._running is not None

    def _end(self) -> None:
        with self._free:
            self._running = None
            self._free.notify_all()

    # Scheduled

    @property
    def last_verified(self) -> Verified:
        """The outcome of the last verification."""
        return self._verification.last

    def start(self) -> None:
        """Verify in the background when it is due, until stopped."""
        self._worker.start()

    def refuse(self) -> None:
        """Start no further tasks, and ask the running one to end."""
        with self._free:
            self._is_closed = True
            if self._running is not None:
                self._running.stop()

    def stop(self) -> None:
        """End the running task, and start no further ones."""
        self.refuse()
        running = self._running
        self._worker.stop()
        if running is not None and not running.join(STOP_SECONDS):
            logger.error("%s did not end in time", running.what)

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(LOOK_SECONDS):
            try:
                if self.is_due(self._clock.now()) and self._nodes.lead():
                    self.verify_on_schedule()
            except Exception:
                logger.exception("the scheduled verification failed")

    def is_due(self, now: datetime) -> bool:
        """Whether a scheduled verification is due."""
        if self._verify_hour is None or now < self._not_before:
            return False
        last_at = self._verification.last.at
        return self._is_rebuilt or last_at is None or last_at < self._last_planned(now)

    def _last_planned(self, now: datetime) -> datetime:
        """The last scheduled start before now; installations are spread over an hour."""
        minute = sum(self._ledger.ledger_id.encode()) % 60
        planned = now.replace(hour=self._verify_hour or 0, minute=minute, second=0, microsecond=0)
        return planned if planned <= now else planned - DAY

    def verify_on_schedule(self) -> Verified | None:
        """Verify with a share of the machine; None if stopped in favour of another task."""
        self._not_before = self._clock.now() + RETRY_AFTER
        try:
            run = self._begin(
                "a verification", "the schedule", self._verify(SHARED_EFFORT), gives_way=True
            )
            run.result()
        except Unavailable as error:
            is_expected = isinstance(error, Stopped) or error.code in {
                ErrorCode.BUSY,
                ErrorCode.STOPPING,
            }
            level = logging.INFO if is_expected else logging.WARNING
            logger.log(level, "verifying later: %s", error.message)
            return None
        self._not_before = self._clock.now()
        return self._verification.last


def _followed(run: LongRun[VerifyReport]) -> Iterator[Progress | VerifyReport]:
    yield from run.follow()
    yield run.result()

"""Deadlines without a timer per request: one sweep a moment looks at all of them.

A timer for every piece of every stream would cost more than the relaying. Deadlines here are late
by up to the sweep's pause, which nobody notices of a timeout of minutes.
"""

import asyncio
import time
from collections.abc import Awaitable
from typing import Final, TypeVar

SWEEP_SECONDS: Final = 0.5

_Result = TypeVar("_Result")

_NEVER: Final = float("inf")


class DeadlineExceeded(Exception):
    """What was awaited did not come in time."""


class Deadline:
    """How long one task goes on waiting; for that task's use only."""

    __slots__ = ("_sweeper", "_task", "expires_at", "is_over")

    def __init__(self, sweeper: "DeadlineSweeper") -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be patient")
        self._task = task
        self._sweeper = sweeper
        self.expires_at = _NEVER
        self.is_over = False
        sweeper.add(self)

    async def wait(self, awaitable: Awaitable[_Result], seconds: float) -> _Result:
        """The result of `awaitable`; raises OutOfPatience when it takes longer."""
        self.expires_at = time.monotonic() + seconds
        try:
            return await awaitable
        except asyncio.CancelledError:
            if self.is_over and self._task.uncancel() == 0:
                self.is_over = False
                raise DeadlineExceeded from None
            raise
        finally:
            self.expires_at = _NEVER

    def expire(self) -> None:
        """Stop the wait under way."""
        self.expires_at = _NEVER
        self.is_over = True
        self._task.cancel()

    def end(self) -> None:
        """The task waits for nothing more."""
        self._sweeper.remove(self)


class DeadlineSweeper:
    """Looks at all deadlines, twice a second."""

    def __init__(self) -> None:
        self._waiting: set[Deadline] = set()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, deadline: Deadline) -> None:
        """Look after a task."""
        self._waiting.add(deadline)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def remove(self, deadline: Deadline) -> None:
        """Look after it no longer."""
        self._waiting.discard(deadline)

    def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = time.monotonic()
            for deadline in [p for p in self._waiting if p.expires_at < now]:
                deadline.expire()

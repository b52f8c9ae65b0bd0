"""Deadlines without a timer per request: one periodic sweep checks all of them.

A timer for every chunk of every stream would cost more than the relaying. Deadlines here are late
by up to the sweep interval, which does not matter for timeouts of minutes.
"""

import asyncio
import time
from collections.abc import Awaitable
from typing import Final, TypeVar

SWEEP_SECONDS: Final = 0.5

_Result = TypeVar("_Result")

_NEVER: Final = float("inf")


class DeadlineExceeded(Exception):
    """The awaited result did not arrive in time."""


class Deadline:
    """The deadline of one task's waits; only for that task."""

    __slots__ = ("_sweeper", "_task", "expires_at", "is_over")

    def __init__(self, sweeper: "DeadlineSweeper") -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can have deadlines")
        self._task = task
        self._sweeper = sweeper
        self.expires_at = _NEVER
        self.is_over = False
        sweeper.add(self)

    async def wait(self, awaitable: Awaitable[_Result], seconds: float) -> _Result:
        """The result of `awaitable`; raises DeadlineExceeded if it takes longer."""
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
        """Cancel the current wait."""
        self.expires_at = _NEVER
        self.is_over = True
        self._task.cancel()

    def end(self) -> None:
        """Deregister; the task does not wait any more."""
        self._sweeper.remove(self)


class DeadlineSweeper:
    """Checks all deadlines, twice a second."""

    def __init__(self) -> None:
        self._waiting: set[Deadline] = set()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, deadline: Deadline) -> None:
        """Register a deadline."""
        self._waiting.add(deadline)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def remove(self, deadline: Deadline) -> None:
        """Deregister a deadline."""
        self._waiting.discard(deadline)

    def stop(self) -> None:
        """Stop checking."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = time.monotonic()
            for deadline in [p for p in self._waiting if p.expires_at < now]:
                deadline.expire()

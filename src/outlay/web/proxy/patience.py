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


class OutOfPatience(Exception):
    """What was awaited did not come in time."""


class Patience:
    """How long one task goes on waiting; for that task's use only."""

    __slots__ = ("_sweeper", "_task", "deadline", "is_over")

    def __init__(self, sweeper: "Sweeper") -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be patient")
        self._task = task
        self._sweeper = sweeper
        self.deadline = _NEVER
        self.is_over = False
        sweeper.add(self)

    async def wait(self, awaitable: Awaitable[_Result], seconds: float) -> _Result:
        """The result of `awaitable`; raises OutOfPatience when it takes longer."""
        self.deadline = time.monotonic() + seconds
        try:
            return await awaitable
        except asyncio.CancelledError:
            if self.is_over and self._task.uncancel() == 0:
                self.is_over = False
                raise OutOfPatience from None
            raise
        finally:
            self.deadline = _NEVER

    def lose(self) -> None:
        """Stop the wait under way."""
        self.deadline = _NEVER
        self.is_over = True
        self._task.cancel()

    def end(self) -> None:
        """The task waits for nothing more."""
        self._sweeper.remove(self)


class Sweeper:
    """Looks at all deadlines, twice a second."""

    def __init__(self) -> None:
        self._waiting: set[Patience] = set()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, patience: Patience) -> None:
        """Look after a task."""
        self._waiting.add(patience)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def remove(self, patience: Patience) -> None:
        """Look after it no longer."""
        self._waiting.discard(patience)

    def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = time.monotonic()
            for patience in [p for p in self._waiting if p.deadline < now]:
                patience.lose()

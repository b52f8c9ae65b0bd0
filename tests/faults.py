"""Faults at the n-th system call: every place where an operation can fail.

Like SQLite's tests: an operation is run with a fault at its first call, then at its second, until
it completes without meeting one.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CALLS = ("open", "write", "fsync", "replace", "rename", "link", "mkdir", "ftruncate")
"""The calls of file writes that modules make through `os`."""

MOST_CALLS = 200
"""Limit for operations with more calls, which would be tested endlessly."""


class Faults:
    """Counts calls and injects a fault at the n-th."""

    def __init__(self, at: int, act: Callable[[], None]) -> None:
        self._at = at
        self._act = act
        self.count = 0

    @property
    def has_met(self) -> bool:
        """Whether the n-th call was reached."""
        return self.count >= self._at

    def wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """A call that is counted."""

        def counted(*arguments: Any, **options: Any) -> Any:
            self.count += 1
            if self.count == self._at:
                self._act()
            return call(*arguments, **options)

        return counted


@contextmanager
def fault_at(number: int, act: Callable[[], None]) -> Iterator[Faults]:
    """Inject a fault at one call of the block."""
    faults = Faults(number, act)
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, faults.wrap(getattr(os, name)))
        yield faults


def disk_full() -> None:
    """The error of a call on a full disk."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def input_output_error() -> None:
    """The error of a call on a failing disk."""
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def every_fault(
    operation: Callable[[], Any], act: Callable[[], None] = disk_full, step: int = 1
) -> Iterator[BaseException | None]:
    """Run an operation with a fault at each of its calls in turn, until none is met.

    A `step` above one tries some of the calls of a long operation. Yields the result of each run:
    its error, or None. Between two runs the caller checks the state and prepares the next run.
    """
    for number in range(1, MOST_CALLS, step):
        raised: BaseException | None = None
        with fault_at(number, act) as faults:
            try:
                operation()
            except Exception as error:
                raised = error
        if not faults.has_met:
            if raised is not None:
                raise raised
            return
        yield raised
    raise AssertionError("the operation does not come to an end")


def every_kill(operation: Callable[[], Any], step: int = 1) -> Iterator[None]:
    """Run an operation in a process that is killed before each of its calls in turn."""
    for number in range(1, MOST_CALLS, step):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with fault_at(number, lambda: os._exit(9)):
                    operation()
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        assert code in {0, 9}, f"killed at call {number}, the operation ended with {code}"
        if code == 0:
            return
        yield
    raise AssertionError("the operation does not come to an end")

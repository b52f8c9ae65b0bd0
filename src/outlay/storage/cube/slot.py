"""Holds the current cube, which can be replaced while it is in use."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from outlay.kit.event_loop import refuse_on_event_loop
from outlay.storage.cube.store import Cube, CubeReader


class CubeSlot:
    """Holds one cube. A replacement waits for open snapshots, and new snapshots wait for the
    replacement.

    A thread must not open a snapshot while it has one open: with a replacement waiting in between,
    they would deadlock.
    """

    def __init__(self, cube: Cube) -> None:
        self._cube = cube
        self._condition = threading.Condition()
        self._readers = 0
        self._exchanging = False

    @property
    def cube(self) -> Cube:
        """The current cube, for the only thread that writes it."""
        return self._cube

    @contextmanager
    def read(self) -> Iterator[CubeReader]:
        """A snapshot of the current cube."""
        refuse_on_event_loop("the cube")
        with self._condition:
            self._condition.wait_for(lambda: not self._exchanging)
            self._readers += 1
        try:
            with self._cube.read() as reader:
                yield reader
        finally:
            with self._condition:
                self._readers -= 1
                self._condition.notify_all()

    def exchange(self, replace: Callable[[], Cube]) -> None:
        """Wait for open snapshots to end, then hold the cube that `replace` returns."""
        with self._condition:
            self._exchanging = True
            self._condition.wait_for(lambda: self._readers == 0)
            try:
                self._cube = replace()
            finally:
                self._exchanging = False
                self._condition.notify_all()

"""Throttling of background work to a share of a processor."""

import time
from collections.abc import Callable


class Throttle:
    """Sleeps after each piece of work for as long as the share requires."""

    def __init__(self, share: float, sleep: Callable[[float], object] = time.sleep) -> None:
        """`share` is above 0 and at most 1, which never sleeps; `sleep` may be the wait method of
        an event."""
        self._idle_per_busy = 1 / share - 1
        self._sleep = sleep
        self._since = time.monotonic()

    def pause(self) -> None:
        """Sleep; to be called after a piece of work."""
        busy = time.monotonic() - self._since
        if self._idle_per_busy:
            self._sleep(busy * self._idle_per_busy)
        self._since = time.monotonic()

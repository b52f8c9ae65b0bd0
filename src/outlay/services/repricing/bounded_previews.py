"""Previews read many requests, so a server runs one at a time and limits how long each takes."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import OutlayError, Unavailable

WAIT_SECONDS: Final = 10.0
"""How long a preview waits for another one."""


class BoundedPreviews:
    """Previews of one kind. Thread-safe."""

    def __init__(self) -> None:
        self._running = threading.Lock()

    @contextmanager
    def begin(
        self, seconds: float | None, too_long: Callable[[], OutlayError]
    ) -> Iterator[Callable[[], None]]:
        """Begin a preview; Unavailable while another one is running.

        Yields a function to be called often, which raises `too_long` after so many seconds. Without
        `seconds` neither bound applies: it is not the server that waits.
        """
        if seconds is None:
            yield _never
            return
        if not self._running.acquire(timeout=WAIT_SECONDS):
            raise Unavailable(
                "Another preview is running. Try again when it has finished.", code=ErrorCode.BUSY
            )
        try:
            deadline = time.monotonic() + seconds

            def check() -> None:
                if time.monotonic() > deadline:
                    raise too_long()

            yield check
        finally:
            self._running.release()


def _never() -> None:
    """Without a time limit."""

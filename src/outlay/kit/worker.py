"""Background threads that run until they are stopped."""

import threading
from collections.abc import Callable


class Worker:
    """One daemon thread; it may be stopped without having been started."""

    def __init__(self, name: str, run: Callable[[threading.Event], None]) -> None:
        """`run` returns soon after the event passed to it is set."""
        self._name = name
        self._run = run
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(
            target=self._run, args=(self._stop,), name=self._name, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait until its current work is finished."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

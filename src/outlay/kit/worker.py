"""Threads that work in the background until they are told to stop."""

import threading
from collections.abc import Callable


class Worker:
    """One daemon thread; it may be stopped without having been started."""

    def __init__(self, name: str, run: Callable[[threading.Event], None]) -> None:
        """`run` returns soon after the event that it is given is set."""
        self._name = name
        self._run = run
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(
            target=self._run, args=(self._stop,), name=self._name, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Let the work under way come to its end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

"""Worker processes that serve one address: each has its own stores, and all share a database.

The listening socket is inherited, so that the kernel assigns a connection to any free process. A
process that dies is replaced; one that cannot even start stops them all.
"""

import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from outlay.cli.signals import forget_stop, on_stop

logger = logging.getLogger(__name__)

RESTART_SECONDS: Final = 1.0
"""Delay before a dead process is replaced."""

PARENT_POLL_SECONDS: Final = 1.0

_READY: Final = b"+"


@dataclass(slots=True)
class _Worker:
    number: int
    pid: int
    pipe: int
    """Becomes readable when the process is ready or has ended."""
    is_ready: bool = False


class Supervisor:
    """Starts processes, replaces dead ones, and stops all of them when it is stopped."""

    def __init__(self, count: int, work: Callable[[int, Callable[[], None]], None]) -> None:
        """`work` serves as one of `count` workers until SIGTERM; it calls its argument when it is
        ready."""
        self._count = count
        self._work = work
        self._workers: dict[int, _Worker] = {}
        self._due: dict[int, float] = {}
        """When to start each waiting worker, in monotonic seconds."""
        self._is_stopping = False

    def run(self, on_ready: Callable[[], None]) -> int:
        """Run until a signal stops it; returns the exit code. `on_ready` is called once all workers
        are ready."""
        on_stop(self._stop)
        self._due = dict.fromkeys(range(self._count), 0.0)
        announced = False
        while self._workers or (self._due and not self._is_stopping):
            self._start_due()
            self._listen()
            for worker in self._reap():
                if not worker.is_ready and not announced:
                    self._end_all()
                    return 1
                if not self._is_stopping:
                    self._due[worker.number] = time.monotonic() + RESTART_SECONDS
            if not announced and self._is_complete():
                announced = True
                on_ready()
        return 0

    def _is_complete(self) -> bool:
        ready = [worker for worker in self._workers.values() if worker.is_ready]
        return len(ready) == self._count

    def _start_due(self) -> None:
        for number, instant in list(self._due.items()):
            if not self._is_stopping and instant <= time.monotonic():
                del self._due[number]
                self._start(number)

    def _start(self, number: int) -> None:
        reading, writing = os.pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            for worker in self._workers.values():
                os.close(worker.pipe)
            _be_worker(self._work, number, writing, parent)
        os.close(writing)
        self._workers[pid] = _Worker(number, pid, reading)

    def _listen(self) -> None:
        """Wait briefly, or until a worker is ready."""
        waiting = {worker.pipe: worker for worker in self._workers.values() if not worker.is_ready}
        try:
            readable, _, _ = select.select(list(waiting), [], [], 0.1)
        except InterruptedError:
            return
        for pipe in readable:
            waiting[pipe].is_ready = os.read(pipe, 1) == _READY

    def _reap(self) -> list[_Worker]:
        """The workers that have ended."""
        ended = []
        while self._workers:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            worker = self._workers.pop(pid, None)
            if worker is not None:
                os.close(worker.pipe)
                ended.append(worker)
        return ended

    def _stop(self) -> None:
        self._is_stopping = True
        for pid in self._workers:
            os.kill(pid, signal.SIGTERM)

    def _end_all(self) -> None:
        self._stop()
        while self._workers:
            self._reap()
            time.sleep(0.05)


def _be_worker(
    work: Callable[[int, Callable[[], None]], None], number: int, pipe: int, parent: int
) -> None:
    """Serve in a newly forked process, then exit."""
    forget_stop()
    # Ctrl-C reaches the whole process group: the supervisor decides when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    code = 1
    try:
        work(number, lambda: _say_ready(pipe))
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except Exception:
        logger.exception("worker %d ended", number)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _say_ready(pipe: int) -> None:
    os.write(pipe, _READY)
    os.close(pipe)


def _end_with(parent: int) -> None:
    """Stop gracefully if the supervisor dies."""
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)

"""Reading the ledger in separate processes, with all processors or at low priority.

A thread of the server would share the interpreter with those that answer requests. The processes
only read. They end when they are done, when they are stopped, and when their parent is gone.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, Final, Protocol, TypeVar

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import OutlayError, Unavailable
from outlay.storage.ledger.reading import LedgerReader

WAIT_SECONDS: Final = 0.5
"""Interval of the check whether the work was stopped."""
END_SECONDS: Final = 10.0
POLITE: Final = 19
"""The niceness of a scan that may not use a whole processor."""

OpenReader = Callable[[], LedgerReader]
"""Opens the ledger to read it; can be sent to another process."""

Part = TypeVar("Part", covariant=True)


class Job(Protocol[Part]):
    """The work of one process; it and its results can be pickled."""

    @property
    def share(self) -> float:
        """Share of a processor; 1 for a whole one."""
        ...

    def parts(self, reader: LedgerReader) -> Iterator[Part]:
        """Run the job and return its results part by part."""
        ...


def scan_in_processes(
    open_reader: OpenReader, jobs: Sequence[Job[Part]], check: Callable[[], None]
) -> Iterator[Part]:
    """Run each job in its own process; yields their results as they arrive.

    `check` is called at least twice a second and raises an exception to stop the work. Raises
    Damaged if a batch does not match its checksum, Unavailable if a process cannot be started or
    dies.
    """
    with ExitStack() as stack:
        running = [stack.enter_context(_process(open_reader, job)) for job in jobs]
        while running:
            check()
            for connection in wait(running, WAIT_SECONDS):
                part = _receive(connection)  # type: ignore[arg-type]  # these are the ones given
                if part is None:
                    running.remove(connection)  # type: ignore[arg-type]  # likewise
                else:
                    yield part


def _receive(connection: "Connection[Any, Any]") -> Any:
    """The next result; None after the last one."""
    try:
        received = connection.recv()
    except (EOFError, OSError) as error:
        raise _terminated() from error
    if isinstance(received, Exception):
        raise received
    return received


def _terminated() -> Unavailable:
    return Unavailable(
        "A process that read the ledger was terminated. Check that the machine has enough memory.",
        code=ErrorCode.SCAN_ENDED,
    )


@contextmanager
def _process(open_reader: OpenReader, job: Job[object]) -> "Iterator[Connection[Any, Any]]":
    """A process that runs a job, terminated at exit."""
    ours, theirs = Pipe()
    try:
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "outlay.services.cube.scan_process", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            # Ctrl+C is for the command, which ends its processes itself.
            start_new_session=True,
        )
    except OSError as error:
        ours.close()
        raise Unavailable(f"A process to read the ledger cannot be started: {error}.") from error
    finally:
        theirs.close()
    try:
        try:
            ours.send((open_reader, job))
        except OSError as error:
            raise _terminated() from error
        yield ours
    finally:
        ours.close()
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> None:
    """Run the job received over the connection named by the first argument."""
    connection: Connection[Any, Any] = Connection(int(sys.argv[1]))
    open_reader, job = connection.recv()
    if job.share < 1:
        os.nice(POLITE)
    try:
        for part in job.parts(open_reader()):
            connection.send(part)
        connection.send(None)
    except BrokenPipeError:
        pass  # the parent has ended
    except OutlayError as error:
        connection.send(error)
    except Exception as error:
        connection.send(
            Unavailable(f"Reading the ledger failed: {error}.", code=ErrorCode.SCAN_FAILED)
        )


if __name__ == "__main__":
    main()

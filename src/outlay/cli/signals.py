"""Signals that stop a server gracefully, and the effect of others.

| signal | sent by | effect |
|---|---|---|
| SIGTERM, SIGINT | service managers, Ctrl-C | graceful stop |
| SIGHUP | a closed terminal, `systemctl reload` | the same; ignored under `nohup` |
| SIGQUIT | Ctrl-\\\\ | the same |
| SIGUSR1 | an operator who diagnoses a hang | prints the stack of every thread to standard error |
| SIGUSR2 | tools that rotate logs | nothing: no log file is kept open |
"""

import faulthandler
import signal
from collections.abc import Callable
from types import FrameType
from typing import Final

STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

_STANDARD_ERROR: Final = 2


def on_stop(stop: Callable[[], None]) -> None:
    """Call `stop` on every signal that stops a server, and ignore the others that would kill it."""

    def handle(_: int, __: FrameType | None) -> None:
        stop()

    for number in STOPPING:
        # Ignored by the parent: `nohup`, a background job of a shell, Outlay's supervisor.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)
    # Not `faulthandler.register`: it reads the stacks while other threads run, which can crash.
    signal.signal(signal.SIGUSR1, _print_stacks)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)


def _print_stacks(_: int, __: FrameType | None) -> None:
    faulthandler.dump_traceback(file=_STANDARD_ERROR, all_threads=True)


def forget_stop() -> None:
    """Restore the default handling: handlers that another process installed must not run in this
    one."""
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)

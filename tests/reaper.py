"""No process outlives a test run, even one that is killed.

Servers run in their own process groups, so that a test can end a whole group. Therefore the group
does not end with pytest. A small process waits for the other end of a pipe to close, which happens
however this process ends, and kills the groups that are still registered.
"""

import os
import signal
import subprocess
import sys
from functools import cache

SCRIPT = """
import os, sys
groups = {}
for line in sys.stdin:
    sign, group, number = line.split()
    if sign == "+":
        groups[int(group)] = int(number)
    else:
        groups.pop(int(group), None)
for group, number in groups.items():
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass
"""


class Reaper:
    """The process that waits for this one to end."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", SCRIPT],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for pytest
        )
        self.pid = self._process.pid

    def watch(self, group: int, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a process group when this process has ended."""
        self._write(f"+ {group} {int(how)}")

    def forget(self, group: int) -> None:
        """Unregister a process group that has ended."""
        self._write(f"- {group} 0")

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()


@cache
def _reaper_of(_: int) -> Reaper:
    return Reaper()


def reaper() -> Reaper:
    """The reaper of this process, started on demand."""
    return _reaper_of(os.getpid())

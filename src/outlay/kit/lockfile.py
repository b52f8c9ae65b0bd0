"""One process per folder, enforced by the kernel: the lock is gone when its holder is."""

import fcntl
import os
from pathlib import Path

from outlay.kit.durable import PRIVATE, write_all


class LockHeld(Exception):
    """Another process holds the lock."""

    def __init__(self, pid: str) -> None:
        super().__init__(f"held by process {pid}")
        self.pid = pid


class LockFile:
    """An exclusive lock on a file that names its holder."""

    def __init__(self, path: Path) -> None:
        """Take the lock at once; raises LockHeld when another process has it."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self._file, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise LockHeld(holder) from error
        try:
            os.ftruncate(self._file, 0)
            write_all(self._file, f"{os.getpid()}\n".encode())
        except OSError:
            os.close(self._file)
            raise

    def release(self) -> None:
        """Give the lock up; the file stays."""
        os.close(self._file)

"""An exclusive lock per folder, enforced by the kernel: it is released when its holder ends."""

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
    """An exclusive lock on a file that contains the holder's process id."""

    def __init__(self, path: Path) -> None:
        """Acquire the lock without waiting; raises LockHeld if another process has it."""
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
        """Release the lock; the file remains."""
        os.close(self._file)

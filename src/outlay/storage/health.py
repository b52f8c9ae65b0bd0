"""Whether the database file can still be trusted, shared by everything that writes to it."""

import logging
import threading
from typing import Final

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Unavailable

logger = logging.getLogger(__name__)

FAILED: Final = ErrorCode.LEDGER_FAILED
"""Error code after a failure."""


class StorageHealth:
    """Shared by ledger and directory, which are in one file. Thread-safe.

    A failed fsync may have dropped dirty pages that a second fsync reports as written (Rebello et
    al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020). So after the first I/O
    error nothing is acknowledged any more: only a restart, which reads back what is on disk, may
    continue.
    """

    def __init__(self) -> None:
        self._failure: str | None = None
        self._lock = threading.Lock()

    @property
    def failure(self) -> str | None:
        """Why nothing is accepted until a restart, None if there was no failure."""
        return self._failure

    def fail(self, reason: str) -> Unavailable:
        """Record a failure and return the error for the caller; nothing is accepted afterwards."""
        with self._lock:
            if self._failure is None:
                self._failure = (
                    f"The database failed ({reason}). Nothing is accepted until a restart."
                )
                logger.error("%s", self._failure)
        return self._refusal()

    def check(self) -> None:
        """Raise Unavailable after a failure."""
        if self._failure is not None:
            raise self._refusal()

    def _refusal(self) -> Unavailable:
        return Unavailable(self._failure or "", code=FAILED)

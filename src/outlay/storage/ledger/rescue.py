"""The rescue file: outcomes that the ledger could not store, on disk until the next start.

After an I/O error the ledger accepts nothing until it is reopened, although providers have been
called and clients answered. These outcomes go into this file, one line each: the BLAKE2b digest of
the event's JSON, a space, the JSON.
"""

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged
from outlay.domain.event import UsageEvent
from outlay.kit.durable import PRIVATE, append_lines

logger = logging.getLogger(__name__)

_DIGEST_BYTES: Final = 16

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(UsageEvent).decode


class RescueFile:
    """Appends events to a file, each on disk before the call returns. Thread-safe."""

    def __init__(self, path: Path) -> None:
        """Open or create the file in advance: later there may be no file descriptor or disk space
        left.
        """
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, PRIVATE)
        self._lock = threading.Lock()
        self.count = 0
        """Events appended by this process."""

    def append(self, events: Sequence[UsageEvent]) -> bool:
        """Store events for the next start; returns whether they are on disk.

        Events that cannot be written are logged in full, as the last resort.
        """
        lines = [_line(event) for event in events]
        with self._lock:
            try:
                append_lines(self._file, b"".join(lines))
            except OSError:
                for line in lines:
                    logger.exception("not in %s: %s", self._path.name, line.decode().rstrip())
                return False
            self.count += len(events)
        return True

    def read(self) -> list[UsageEvent]:
        """The events in the file, in order.

        An incomplete line is skipped: it was not on disk when the process ended. Raises Damaged for
        any other line that does not match its digest.
        """
        content = self._path.read_bytes()
        finished = content[: content.rfind(b"\n") + 1]
        return list(self._events(finished.splitlines()))

    def _events(self, lines: Sequence[bytes]) -> Iterator[UsageEvent]:
        for number, line in enumerate(lines, 1):
            digest, _, text = line.partition(b" ")
            if digest == _digest(text):
                yield _decode(text)
            elif not text.endswith(b"}"):
                logger.warning("line %d of %s is incomplete", number, self._path)
            else:
                raise Damaged(
                    f"Line {number} of {self._path} does not match its checksum. Correct it, or "
                    "move the file away to start without these requests.",
                    code=ErrorCode.RESCUE_CHECKSUM,
                )

    def clear(self) -> None:
        """Empty the file; its events are in the ledger."""
        os.ftruncate(self._file, 0)
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file, and delete it if it is empty."""
        is_empty = os.fstat(self._file).st_size == 0
        os.close(self._file)
        if is_empty:
            self._path.unlink(missing_ok=True)


def _line(event: UsageEvent) -> bytes:
    text = _encode(event)
    return _digest(text) + b" " + text + b"\n"


def _digest(text: bytes) -> bytes:
    return blake2b(text, digest_size=_DIGEST_BYTES).hexdigest().encode()

"""Signed checkpoints of the audit trail, kept in a file outside the database.

Whoever can write to the database can write a whole new chain, but not sign it: each line states how
far the chain of an organization reached and its digest there, under an Ed25519 signature
(RFC 8032). The file is only ever appended to, and may be shipped elsewhere line by line.
"""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_CONTEXT: Final = b"outlay audit checkpoint\n"


class Checkpoint(NamedTuple):
    """How far the chain of an organization reached."""

    organization_id: str
    number: int
    digest: bytes
    time_us: int


class _Line(msgspec.Struct, frozen=True):
    organization: str
    number: int
    digest: str
    time: int
    signature: str

    def covered(self) -> bytes:
        """What the signature is over."""
        fields = (self.organization, self.number, self.digest, self.time)
        return _CONTEXT + msgspec.json.encode(fields)


class CheckpointFile:
    """Appends signed lines, one per checkpoint, each on disk before it counts."""

    def __init__(self, path: Path, seed: bytes) -> None:
        """`seed` is the private key, 32 bytes."""
        self.path = path
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._lock = threading.Lock()

    @property
    def public_key(self) -> str:
        """What verifies the signatures, in hexadecimal."""
        return self._key.public_key().public_bytes_raw().hex()

    def append(self, checkpoint: Checkpoint) -> None:
        """Add a checkpoint; raises OSError when it cannot be written."""
        unsigned = _Line(
            checkpoint.organization_id,
            checkpoint.number,
            checkpoint.digest.hex(),
            checkpoint.time_us,
            "",
        )
        signature = self._key.sign(unsigned.covered()).hex()
        line = msgspec.json.encode(msgspec.structs.replace(unsigned, signature=signature)) + b"\n"
        with self._lock:
            # One write of one line: several processes may append at a time.
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, line)
                os.fsync(file)
            finally:
                os.close(file)


def read_checkpoints(path: Path, public_key: str) -> Iterator[tuple[int, Checkpoint | None]]:
    """The checkpoints of a file by line number; None where a line is not what was signed.

    Raises OSError when there is no file and ValueError for a malformed key.
    """
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
    with path.open("rb") as lines:
        for number, text in enumerate(lines, 1):
            yield number, _read(text, key)


def _read(text: bytes, key: Ed25519PublicKey) -> Checkpoint | None:
    try:
        line = msgspec.json.decode(text, type=_Line)
        key.verify(bytes.fromhex(line.signature), line.covered())
        return Checkpoint(line.organization, line.number, bytes.fromhex(line.digest), line.time)
    except (msgspec.DecodeError, ValueError, InvalidSignature):
        return None

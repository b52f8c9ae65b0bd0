"""Signed checkpoints of the audit trail, kept in a file outside the database.

Anyone who can write to the database can write a complete new chain, but cannot sign it: each line
states the length of an organization's chain and its digest at that point, under an Ed25519
signature (RFC 8032). The file is append-only and can be shipped elsewhere line by line.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from outlay.domain.ids import OrganizationId
from outlay.kit.durable import PRIVATE, append_lines, ends_in_newline, sync_folder

_CONTEXT: Final = b"outlay audit checkpoint\n"
_LINE_END: Final = b'"}'
"""The end of a complete line; no part of a line ends like this."""


class Checkpoint(NamedTuple):
    """The end of an organization's chain at some time."""

    organization_id: OrganizationId
    number: int
    digest: bytes
    time_us: int

    @property
    def end(self) -> str:
        """Number and digest in the form for external records: `42:9f…`."""
        return f"{self.number}:{self.digest.hex()}"


class _Line(msgspec.Struct, frozen=True):
    organization: str
    number: int
    digest: str
    time: int
    signature: str

    def covered(self) -> bytes:
        """The signed bytes."""
        fields = (self.organization, self.number, self.digest, self.time)
        return _CONTEXT + msgspec.json.encode(fields)


class CheckpointFile:
    """Appends signed lines, one per checkpoint, flushed to disk."""

    def __init__(self, path: Path, seed: bytes) -> None:
        """`seed` is the private key, 32 bytes."""
        self.path = path
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public_key(self) -> str:
        """The key that verifies the signatures, in hexadecimal."""
        return self._key.public_key().public_bytes_raw().hex()

    def append(self, checkpoint: Checkpoint) -> None:
        """Append a checkpoint; raises OSError if it cannot be written.

        A line that an earlier write left incomplete is terminated first, so that it does not
        corrupt the next one.
        """
        unsigned = _Line(
            checkpoint.organization_id,
            checkpoint.number,
            checkpoint.digest.hex(),
            checkpoint.time_us,
            "",
        )
        signature = self._key.sign(unsigned.covered()).hex()
        line = msgspec.json.encode(msgspec.structs.replace(unsigned, signature=signature)) + b"\n"
        is_new = not self.path.exists()
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, PRIVATE)
        try:
            # Threads and processes append one at a time: each checks the end before it writes.
            fcntl.flock(file, fcntl.LOCK_EX)
            append_lines(file, line)
        finally:
            os.close(file)
        if is_new:
            sync_folder(self.path.parent)

    def has_unfinished_end(self) -> bool:
        """Whether the last write was incomplete."""
        try:
            with self.path.open("rb") as file:
                return not ends_in_newline(file.fileno())
        except FileNotFoundError:
            return False


class SignedLine(NamedTuple):
    """One line of a checkpoint file."""

    number: int
    checkpoint: Checkpoint | None
    """None if the signature does not match or the line is incomplete."""
    is_unfinished: bool


def read_checkpoints(path: Path, public_key: str) -> Iterator[SignedLine]:
    """The lines of a checkpoint file.

    Raises OSError without a file and ValueError for a malformed key.
    """
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
    with path.open("rb") as lines:
        for number, text in enumerate(lines, 1):
            body = text.rstrip(b"\n")
            if body:  # an empty line terminates an incomplete one
                is_unfinished = not body.endswith(_LINE_END)
                yield SignedLine(number, None if is_unfinished else _read(body, key), is_unfinished)


def _read(text: bytes, key: Ed25519PublicKey) -> Checkpoint | None:
    try:
        line = msgspec.json.decode(text, type=_Line)
        key.verify(bytes.fromhex(line.signature), line.covered())
        organization_id = OrganizationId(line.organization)
        return Checkpoint(organization_id, line.number, bytes.fromhex(line.digest), line.time)
    except (msgspec.DecodeError, ValueError, InvalidSignature):
        return None

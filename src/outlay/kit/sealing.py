"""Sealed secrets: encrypted with a master key and bound to where they are stored.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce. The associated data names the row, so that
a sealed secret that was moved to another row, or whose row was changed, cannot be opened.

1 byte version · 4 bytes fingerprint of the master key · 12 bytes nonce · ciphertext and tag
"""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from outlay.kit.durable import PRIVATE, write_file

KEY_BYTES: Final = 32
_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_HEADER_BYTES: Final = 1 + 4


class SealBroken(Exception):
    """The master key is a different one, or the sealed secret belongs elsewhere."""


class Sealer:
    """Seals and opens secrets with one master key."""

    def __init__(self, master_key: bytes) -> None:
        if len(master_key) != KEY_BYTES:
            raise ValueError(f"a master key has {KEY_BYTES} bytes, not {len(master_key)}")
        self._cipher = AESGCM(master_key)
        self._header = _VERSION + hashlib.sha256(b"outlay master key" + master_key).digest()[:4]

    def seal(self, secret: str, place: str) -> bytes:
        """Seal a secret with `place` as associated data."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, secret.encode(), place.encode())
        return self._header + nonce + sealed

    def open(self, sealed: bytes, place: str) -> str:
        """Open a secret that was sealed with `place` as associated data; raises SealBroken
        otherwise.
        """
        if sealed[:_HEADER_BYTES] != self._header:
            raise SealBroken("it was sealed with another master key")
        nonce, body = sealed[_HEADER_BYTES:][:_NONCE_BYTES], sealed[_HEADER_BYTES + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, body, place.encode()).decode()
        except InvalidTag as error:
            raise SealBroken("it was sealed for another place, or damaged") from error


def read_key(path: Path) -> bytes | None:
    """Read the key in a file; None if there is no file or it is empty, ValueError if it is
    malformed.

    An empty file is what a power failure or a kill during its creation leaves.
    """
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    return parse_key(text) if text else None


def parse_key(text: str) -> bytes:
    """Parse a master key of 64 hexadecimal digits; raises ValueError for anything else."""
    key = bytes.fromhex(text)
    if len(key) != KEY_BYTES:
        raise ValueError(f"it must be {KEY_BYTES * 2} hexadecimal digits")
    return key


def create_key(path: Path) -> bytes:
    """Create a key in a file that only its owner can read; it is on disk when this returns.

    Returns the existing key if another process has created one in the meantime.
    """
    with _locked(path):
        found = read_key(path)
        if found is not None:
            return found
        key = secrets.token_bytes(KEY_BYTES)
        write_file(path, key.hex().encode() + b"\n")
        return key


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Lock a file exclusively, creating it empty if necessary."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # The previous holder of the lock may have replaced the file.
            if _is_at(path, descriptor):
                yield
                return
        finally:
            os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False

"""Creating, digesting and comparing secrets."""

import hashlib
import hmac
import secrets
import string
import zlib
from typing import Final

_BASE62: Final = string.ascii_letters + string.digits


def new_secret(length: int = 43) -> str:
    """A random base-62 secret; 43 characters carry 256 bits."""
    return "".join(secrets.choice(_BASE62) for _ in range(length))


def checksum_of(text: str) -> str:
    """Six base-62 digits of the CRC-32: detects typing errors and lets secret scanners recognise
    keys.
    """
    value, digits = zlib.crc32(text.encode()), ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        digits = _BASE62[digit] + digits
    return digits


def digest_secret(secret: str) -> bytes:
    """The digest that is stored instead of a 256-bit secret; a slow hash would add nothing to its
    entropy.
    """
    return hashlib.sha256(secret.encode()).digest()


def is_same_digest(left: bytes, right: bytes) -> bool:
    """Comparison in constant time."""
    return hmac.compare_digest(left, right)

"""Identifiers: time-ordered for rows, prefixed for people."""

import secrets
from typing import Final

from outlay.kit.clock import Clock, to_us

_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def uuid7(clock: Clock) -> str:
    """A UUIDv7 (RFC 9562): sorts by the time it was made."""
    milliseconds = to_us(clock.now()) // 1000
    value = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64
    value |= 0b10 << 62 | secrets.randbits(62)
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def new_id(prefix: str) -> str:
    """A random object id such as `prj_4f0k2m9q1x7c8v3b`: 80 bits behind a readable prefix."""
    return f"{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(16))

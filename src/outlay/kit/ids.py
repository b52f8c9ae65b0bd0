"""Identifiers: time-ordered for rows, prefixed for display."""

import secrets
from typing import Final

from outlay.kit.clock import Clock, to_us

_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def uuid7(clock: Clock) -> str:
    """A UUIDv7 (RFC 9562), which sorts by creation time."""
    return uuid7_at(to_us(clock.now()))


def uuid7_at(us: int) -> str:
    """A UUIDv7 of an instant, in microseconds since the epoch."""
    milliseconds = us // 1000
    random = secrets.randbits(74)
    value = milliseconds << 80 | 0x7 << 76 | (random >> 62) << 64
    value |= 0b10 << 62 | random & (1 << 62) - 1
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def new_id(prefix: str) -> str:
    """A random object id such as `prj_4f0k2m9q1x7c8v3b`: 80 bits behind a readable prefix."""
    return f"{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(16))

"""Many sums in one integer: each has a lane of 24 bytes, so that one addition adds them all.

A lane holds a signed sum of up to 191 bits. Python adds and multiplies integers of a few hundred
bytes faster than it loops over twenty small ones.
"""

from collections.abc import Sequence
from typing import Final

LANE_BYTES: Final = 24
_BITS: Final = 8 * LANE_BYTES
_MASK: Final = (1 << _BITS) - 1
_HALF: Final = 1 << (_BITS - 1)


def pack(values: Sequence[int]) -> int:
    """The values as lanes, the first one lowest."""
    return sum(value << (_BITS * lane) for lane, value in enumerate(values))


def unpack(packed: int, count: int) -> list[int]:
    """The values of the `count` lowest lanes."""
    values = []
    for _ in range(count):
        value = packed & _MASK
        if value >= _HALF:
            value -= 1 << _BITS
        values.append(value)
        packed = (packed - value) >> _BITS
    return values

"""Weights of cells: what makes one sum over many cells tell whether every one of them is right.

Plain sums are a weak comparison, as an error in one cell may make up for an error in another. So
every cell has a weight, a hash of its labels, and measures are summed times the weight. Such a sum
can be taken over events or over cells, in any order and in parts. When any cell differs, the two
sums are equal by chance only: once in 2^62.
"""

from hashlib import md5
from typing import Final

SEPARATOR: Final = "\x1f"
"""Between the labels of a cell. No label holds a control character."""

HALF_BITS: Final = 31
HALF_MASK: Final = (1 << HALF_BITS) - 1
WEIGHT_MASK: Final = (1 << 2 * HALF_BITS) - 1
"""A weight is two halves, each of which can multiply 64 bits within the 128 that engines have."""


def cell_weight(text: str) -> int:
    """The weight of the cell whose labels, joined, are `text`; engines compute the same.

    MD5 is the one hash that every engine has. It is no signature here: each comparison ends the
    text with a random salt, so that nobody can choose labels that have the same weight.
    """
    digest = md5(text.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little") & WEIGHT_MASK

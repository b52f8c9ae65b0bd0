"""Weighted sums, which prove cell by cell that two sets of cells are equal.

Plain sums are a weak comparison, because an error in one cell may cancel an error in another. So
every cell has a weight, a hash of its labels, and measures are summed times the weight. Such a sum
can be taken over events or over cells, in any order and in parts. If any cell differs, the two sums
are equal only by chance: once in 2^62.
"""

from hashlib import md5
from typing import Final

SEPARATOR: Final = "\x1f"
"""Separates the labels of a cell. No label contains a control character."""

HALF_BITS: Final = 31
HALF_MASK: Final = (1 << HALF_BITS) - 1
WEIGHT_MASK: Final = (1 << 2 * HALF_BITS) - 1
"""A weight has two halves, each of which can multiply 64 bits within the engines' 128."""


def cell_weight(text: str) -> int:
    """The weight of the cell whose labels, joined, are `text`; engines compute the same.

    MD5 is the one hash that every engine has. It is not used as a signature: each comparison
    appends a random salt to the text, so that nobody can choose labels with equal weights.
    """
    digest = md5(text.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little") & WEIGHT_MASK

"""CSV that is safe to open in a spreadsheet."""

import csv
import io
import re
from collections.abc import Sequence
from typing import Final

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\0", "'")
"""Characters that start a formula in a spreadsheet; text that starts with one is prefixed with an
apostrophe.

The apostrophe itself is on the list, so that removing one always restores the text.
"""


_NEGATIVE: Final = re.compile(r"-[0-9]+(\.[0-9]+)?")


def render_line(cells: Sequence[str]) -> str:
    """One line of CSV (RFC 4180)."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow([safe_cell(cell) for cell in cells])
    return buffer.getvalue()


def safe_cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula; undone by removing one leading apostrophe.

    A negative number is not a formula and must stay a number.
    """
    is_formula = text.startswith(FORMULA_STARTS) and not _NEGATIVE.fullmatch(text)
    return f"'{text}" if is_formula else text

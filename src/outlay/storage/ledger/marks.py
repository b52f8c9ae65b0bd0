"""What the events of a window are marked with: parts without a price, counters nobody understands.

Marks stand on events alone, not in the cube. They are counted where the rows are, by what a row
says as a whole, so that an answer is as long as there are combinations.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from outlay.storage.ledger.log import LogFilter, Statement, conditions_of


class Marks(NamedTuple):
    """What some events have in common, and how many they are."""

    provider: str
    cost_source: str
    unpriced_parts: str
    unread: str
    requests: int
    first_us: int
    last_us: int


_COMBINATION: Final = "provider, cost_source, unpriced_parts, unread"


def marks_statement(wanted: LogFilter, contains: str) -> Statement:
    """The combinations of marks among what is wanted; `read_marks` reads the rows."""
    where, values = conditions_of(wanted, contains)
    text = (
        f"SELECT {_COMBINATION}, count(*), "  # noqa: S608 - expressions are constants, values are bound
        f"min(event_time_us), max(event_time_us) FROM usage_event WHERE {where} "
        f"AND (unpriced_parts <> '' OR unread <> '') GROUP BY {_COMBINATION}"
    )
    return text, values


def read_marks(rows: Sequence[Sequence[Any]]) -> list[Marks]:
    """The combinations in rows of `marks_statement`."""
    return [Marks._make(row) for row in rows]

"""Data quality marks on the events of a window: unpriced parts, unknown counters.

These are on events only, not in the cube. They are counted in the database by combination, so the
result has one row per combination.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from outlay.storage.ledger.log import LogFilter, Statement, conditions_of


class Marks(NamedTuple):
    """A combination of marks, and the number of events that have it."""

    provider: str
    cost_source: str
    unpriced_parts: str
    unread: str
    requests: int
    first_us: int
    last_us: int


_COMBINATION: Final = "provider, cost_source, unpriced_parts, unread"


def marks_statement(wanted: LogFilter, contains: str) -> Statement:
    """The combinations of marks among matching events; `read_marks` reads the rows."""
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

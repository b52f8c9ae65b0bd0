"""Files that tell one answer on several lines, each with more of it than the one before.

Transcripts of coding agents do: the same id, and counts that grow while the answer is written. The
last line counts, at the time of the first.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from outlay.domain.usage_report import UsageReport

WINDOW: Final = 2_000
"""Rows within which the lines of one answer stand."""


@dataclass(slots=True)
class ReadRow:
    """A row of a file and what it says."""

    number: int
    reports: tuple[UsageReport, ...]
    fault: str
    """Why it is rejected, empty when it is not."""
    content: Any
    """The row as it was read, for whoever mends it."""
    done: int
    total: int
    unnamed: Sequence[str] = ()
    """Columns of counts that the mapping does not name."""
    is_superseded: bool = False
    """Whether a later row says the same and more."""


def last_of_each(rows: Iterator[ReadRow]) -> Iterator[ReadRow]:
    """The same rows in their order; of lines that grow into one another, the last has the report.

    Lines that contradict each other are left as they are: the record keeps the first, and tells.
    """
    waiting: deque[ReadRow] = deque()
    known: dict[str, list[ReadRow]] = {}
    for row in rows:
        if len(row.reports) == 1:
            earlier = known.setdefault(row.reports[0].event_id, [])
            if earlier and all(_is_more(row.reports[0], one.reports[0]) for one in earlier):
                _supersede(earlier, row)
            earlier.append(row)
        waiting.append(row)
        if len(waiting) > WINDOW:
            passed = waiting.popleft()
            for report in passed.reports[:1]:
                known.pop(report.event_id, None)
            yield passed
    yield from waiting


def _supersede(earlier: list[ReadRow], row: ReadRow) -> None:
    """Give a row the time of those before it, which lose their report to it."""
    first_us = earlier[0].reports[0].event_time_us
    row.reports = (replace(row.reports[0], event_time_us=first_us),)
    for one in earlier:
        one.reports, one.is_superseded = (), True
    earlier.clear()


def _is_more(later: UsageReport, earlier: UsageReport) -> bool:
    """Whether a report says of the same answer all that an earlier one does, and more."""
    if later == earlier or (later.mapping, later.provider) != (earlier.mapping, earlier.provider):
        return False
    if later.usage is None or earlier.usage is None:
        return later.usage is not None
    pairs = zip(later.usage, earlier.usage, strict=True)
    return all(more >= less for more, less in pairs) and all(
        later.meters.get(name, 0) >= count for name, count in earlier.meters.items()
    )

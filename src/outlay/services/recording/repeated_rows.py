"""Files that repeat an answer on several lines, each more complete than the previous one.

Transcripts of coding agents do: the same id, with counts that grow while the answer is written. The
last line counts, at the time of the first.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from outlay.domain.usage_report import UsageReport

WINDOW: Final = 2_000
"""All lines of one answer are within this number of rows."""


@dataclass(slots=True)
class ReadRow:
    """A row of a file with its reports."""

    number: int
    reports: tuple[UsageReport, ...]
    fault: str
    """Why it is rejected; empty if it is not."""
    content: Any
    """The original row, for the rejection file."""
    done: int
    total: int
    unnamed: Sequence[str] = ()
    """Unmapped columns of counts."""
    is_superseded: bool = False
    """Whether a later row is a more complete version."""


def last_of_each(rows: Iterator[ReadRow]) -> Iterator[ReadRow]:
    """The same rows in order; of lines that extend each other, only the last has the report.

    Lines that contradict each other are unchanged: the first is recorded, the others become
    conflicts.
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
    """Give a row the time of its earlier versions, which lose their report."""
    first_us = earlier[0].reports[0].event_time_us
    row.reports = (replace(row.reports[0], event_time_us=first_us),)
    for one in earlier:
        one.reports, one.is_superseded = (), True
    earlier.clear()


def _is_more(later: UsageReport, earlier: UsageReport) -> bool:
    """Whether a report includes everything in an earlier report of the same answer."""
    if later == earlier or (later.mapping, later.provider) != (earlier.mapping, earlier.provider):
        return False
    if later.usage is None or earlier.usage is None:
        return later.usage is not None
    pairs = zip(later.usage, earlier.usage, strict=True)
    return all(more >= less for more, less in pairs) and all(
        later.meters.get(name, 0) >= count for name, count in earlier.meters.items()
    )

"""Lines of a file that repeat one answer: the last one counts."""

from collections.abc import Sequence
from dataclasses import replace

from outlay.domain.ids import EventId
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.services.recording.repeated_rows import WINDOW, ReadRow, last_of_each


def report(event_id: str, output: int, at_us: int = 0) -> UsageReport:
    return UsageReport(
        event_id=EventId(event_id),
        event_time_us=at_us,
        provider="anthropic",
        mapping="anthropic/claude",
        usage=TokenUsage(10, output),
    )


def rows_of(reports: Sequence[UsageReport]) -> list[ReadRow]:
    total = len(reports)
    return [
        ReadRow(number, (one,), "", None, number, total) for number, one in enumerate(reports, 1)
    ]


def kept(reports: Sequence[UsageReport]) -> list[UsageReport]:
    return [one for row in last_of_each(iter(rows_of(reports))) for one in row.reports]


def test_the_last_line_counts_at_the_time_of_the_first() -> None:
    grown = [report("a", 1, 5), report("b", 1, 6), report("a", 4, 7), report("a", 9, 8)]

    assert kept(grown) == [grown[1], replace(grown[3], event_time_us=5)]


def test_rows_keep_their_order_and_outcome() -> None:
    found = list(last_of_each(iter(rows_of([report("a", 1), report("a", 2)]))))

    assert [(row.number, row.is_superseded, len(row.reports)) for row in found] == [
        (1, True, 0),
        (2, False, 1),
    ]


def test_contradictory_lines_are_left_unchanged() -> None:
    falling = [report("a", 5), report("a", 3)]
    foreign = [report("a", 5), replace(report("a", 7), mapping="anthropic/other")]

    assert kept(falling) == falling
    assert kept(foreign) == foreign
    assert kept([report("a", 5)] * 2) == [report("a", 5)] * 2


def test_known_count_replaces_an_unknown_one() -> None:
    unknown = replace(report("a", 0), usage=None)

    assert kept([unknown, report("a", 3)]) == [report("a", 3)]
    assert kept([report("a", 3), unknown]) == [report("a", 3), unknown]


def test_lines_far_from_each_other_are_not_compared() -> None:
    far = [report("a", 1), *(report(f"x{n}", 1) for n in range(WINDOW + 1)), report("a", 2)]

    assert len(kept(far)) == len(far)

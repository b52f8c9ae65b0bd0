"""Rankings: shares and running shares are of the total that counts each request once."""

from dataclasses import replace
from datetime import date

import pytest

from outlay.domain.answers import ZERO, Breakdown, Comparison, Entry, EntryKind, Totals
from outlay.domain.comparison_period import Compare
from outlay.domain.dimension import Dimension
from outlay.domain.measure import Rank
from outlay.domain.period import Interval, period_of_dates, steps_of
from outlay.web.dashboard.parts.ranking import rank_entries

PERIOD = period_of_dates(date(2026, 11, 1), date(2026, 11, 30), "UTC")


def entry(key: str, requests: int) -> Entry:
    total = Totals(requests=requests, cost_pusd=requests * 10**9)
    return Entry(kind=EntryKind.VALUE, key=key, label=key, total=total, by_step={0: total})


def compared(dimension: Dimension, total: int, entries: list[Entry]) -> Comparison:
    whole = Totals(requests=total, cost_pusd=total * 10**9)
    return Comparison(
        period=PERIOD,
        elapsed=PERIOD,
        current=Breakdown(
            group_by=dimension,
            steps=steps_of(PERIOD, Interval.TOTAL),
            total=whole,
            by_step={0: whole},
            entries=tuple(entries),
        ),
        earlier_period=PERIOD,
        earlier_part=PERIOD,
        earlier_steps=(ZERO,),
        earlier_total=ZERO,
        earlier_entries={},
        compare=Compare.PREVIOUS,
        earlier_windows=(),
        interval=Interval.TOTAL,
        first_event=None,
    )


@pytest.mark.parametrize("metric", [Rank.COST, Rank.REQUESTS])
def test_overlapping_groups_have_shares_and_no_running_sum(metric: Rank) -> None:
    found = rank_entries(
        compared(Dimension.GROUP, 100, [entry("a", 80), entry("b", 70)]), metric, {}
    )

    assert found.overlaps
    assert [row.share for row in found.rows] == ["80.0%", "70.0%"]
    assert [row.running for row in found.rows] == [None, None]


def test_running_shares_reach_100_percent() -> None:
    entries = [entry(f"key-{number}", 10 + number) for number in range(10)]
    total = sum(one.total.requests for one in entries)

    found = rank_entries(compared(Dimension.API_KEY, total, entries), Rank.REQUESTS, {})

    assert not found.overlaps
    assert found.rows[-1].label == "Other (2)"
    assert found.rows[-1].running == "100%"


def test_small_share_is_not_shown_as_zero() -> None:
    small = compared(Dimension.MODEL, 100_000, [entry("large", 99_999), entry("small", 1)])

    shares = [row.share for row in rank_entries(small, Rank.COST, {}).rows]

    assert shares[1] == "<0.1%"


def test_ranking_uses_the_colours_of_the_page() -> None:
    found = rank_entries(
        compared(Dimension.MODEL, 3, [replace(entry("a", 1)), entry("b", 2)]),
        Rank.COST,
        {"a": 12, "b": 3},
    )

    assert {row.key: row.slot for row in found.rows} == {"a": 12, "b": 3}

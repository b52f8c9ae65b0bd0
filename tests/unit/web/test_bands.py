"""Bands of charts: exact, and together the totals of the answer."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.domain.answers import ZERO, Breakdown, Comparison, Entry, EntryKind, Totals, sum_totals
from outlay.domain.comparison_period import Compare
from outlay.domain.dimension import Dimension
from outlay.domain.discovery import NO_MERGES
from outlay.domain.ids import OrganizationId
from outlay.domain.measure import Rank
from outlay.domain.money import parse_usd
from outlay.domain.period import Interval, period_of_dates, steps_of
from outlay.domain.query import UsageQuery
from outlay.web.dashboard.parts.bands import bands_of, metric_data
from outlay.web.dashboard.parts.ranking import rank_entries

PERIOD = period_of_dates(date(2026, 11, 1), date(2026, 11, 4), "UTC")
STEPS = steps_of(PERIOD, Interval.DAY)
QUERY = UsageQuery(
    organization_id=OrganizationId("org"), merges=NO_MERGES, period=PERIOD, interval=Interval.DAY
)

totals = st.builds(
    Totals,
    requests=st.integers(0, 10**6),
    input_tokens=st.integers(0, 10**20),
    output_tokens=st.integers(0, 10**20),
    cost_pusd=st.integers(0, 10**24),
)
usage = st.dictionaries(st.integers(0, len(STEPS) - 1), totals)


def entry(kind: EntryKind, key: str, by_step: dict[int, Totals], members: int = 1) -> Entry:
    return Entry(
        kind=kind,
        key=key,
        label=key,
        total=sum_totals(list(by_step.values())),
        by_step=by_step,
        members=members,
    )


@st.composite
def answers(draw: st.DrawFn) -> tuple[Entry, ...]:
    values = draw(st.lists(usage, max_size=12))
    entries = [
        entry(EntryKind.VALUE, f"value-{place}", found) for place, found in enumerate(values)
    ]
    if draw(st.booleans()):
        entries.append(entry(EntryKind.OTHER, "other", draw(usage), members=7))
    if draw(st.booleans()):
        entries.append(entry(EntryKind.UNATTRIBUTED, "unattributed", draw(usage)))
    return tuple(entries)


def comparison_of(
    entries: tuple[Entry, ...],
    dimension: Dimension = Dimension.MODEL,
    by_step: dict[int, Totals] | None = None,
) -> Comparison:
    if by_step is None:
        by_step = {
            index: sum_totals([one.at(index) for one in entries]) for index in range(len(STEPS))
        }
    return Comparison(
        period=PERIOD,
        elapsed=PERIOD,
        current=Breakdown(
            group_by=dimension,
            steps=STEPS,
            total=sum_totals(list(by_step.values())),
            by_step=by_step,
            entries=entries,
        ),
        earlier_period=PERIOD,
        earlier_part=PERIOD,
        earlier_steps=(),
        earlier_total=ZERO,
        earlier_entries={one.key: ZERO for one in entries},
        compare=Compare.PREVIOUS,
        earlier_windows=(),
        interval=Interval.DAY,
        first_event=None,
    )


@given(answers(), st.sampled_from(Rank))
def test_bands_add_up_to_the_totals_in_every_step(entries: tuple[Entry, ...], metric: Rank) -> None:
    comparison = comparison_of(entries)
    ranking = rank_entries(comparison, metric, {one.key: 1 for one in entries})

    bands = bands_of(comparison.current, ranking, overlaps=False)

    for index in range(len(STEPS)):
        whole = comparison.current.at(index).rank_value(metric)
        assert sum(band.values[index] for band in bands) == whole
    assert sum(band.total for band in bands) == comparison.current.total.rank_value(metric)
    assert all(sum(band.values) == band.total for band in bands)
    assert [band.label for band in bands] == [
        row.label for row in ranking.rows if row.key in {band.key for band in bands}
    ]


def test_other_has_every_value_without_a_row() -> None:
    spent = {0: Totals(requests=1, cost_pusd=10**12)}
    entries = tuple(entry(EntryKind.VALUE, f"value-{place}", spent) for place in range(11))
    comparison = comparison_of(entries)
    ranking = rank_entries(comparison, Rank.COST, {one.key: 1 for one in entries})

    bands = bands_of(comparison.current, ranking, overlaps=False)

    assert len(bands) == 9
    assert (bands[-1].label, bands[-1].total) == ("Other (3)", 3 * 10**12)


@given(answers())
def test_embedded_values_are_exact(entries: tuple[Entry, ...]) -> None:
    comparison = comparison_of(entries)
    ranking = rank_entries(comparison, Rank.COST, {one.key: 1 for one in entries})

    data = metric_data(QUERY, comparison, ranking, "Cost by model over time", overlaps=False)

    assert [parse_usd(text) for text in data["totals"]] == [
        comparison.current.at(index).cost_pusd for index in range(len(STEPS))
    ]
    assert parse_usd(data["total"]) == comparison.current.total.cost_pusd
    embedded = sum(parse_usd(text) for band in data["bands"] for text in band["values"] if text)
    assert embedded == comparison.current.total.cost_pusd


def test_totals_of_groups_count_each_request_once() -> None:
    shared = Totals(requests=5, cost_pusd=5 * 10**12)
    entries = (
        entry(EntryKind.VALUE, "sales", {0: shared}),
        entry(EntryKind.VALUE, "support", {0: shared}),
        entry(EntryKind.OTHER, "other", {0: shared}, members=2),
    )
    comparison = comparison_of(entries, Dimension.GROUP, {0: shared})
    ranking = rank_entries(comparison, Rank.COST, {"sales": 1, "support": 2})

    data = metric_data(QUERY, comparison, ranking, "Cost by user group", overlaps=True)

    assert (data["total"], data["totals"]) == ("5", ["5", "0", "0", "0"])
    assert data["bands"][-1]["label"] == "Other (2): sum of overlapping groups"
    assert data["change"] is None


@pytest.mark.parametrize(
    ("costs", "summary"),
    [
        (
            {0: 10, 1: 40, 2: 5, 3: 45},
            "Total $100.00. Highest $45.00, Nov 4, 2026. Lowest $5.00, Nov 3, 2026.",
        ),
        ({}, "No cost in this period."),
    ],
)
def test_chart_description(costs: dict[int, int], summary: str) -> None:
    by_step = {index: Totals(requests=1, cost_pusd=usd * 10**12) for index, usd in costs.items()}
    comparison = comparison_of((entry(EntryKind.VALUE, "gpt-5.5", by_step),))
    ranking = rank_entries(comparison, Rank.COST, {"gpt-5.5": 1})

    data = metric_data(QUERY, comparison, ranking, "Cost by model over time", overlaps=False)

    assert data["summary"] == summary

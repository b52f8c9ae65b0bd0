"""Usage by kind: the parts of the cost, computed from the totals of requests and from their
meters."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from outlay.domain.answers import Breakdown, EntryKind, Totals, sum_totals
from outlay.domain.dimension import Dimension
from outlay.domain.kind import KindAmount, KindEntry, find_kind, kinds_of, totals_of_kind
from outlay.domain.period import steps_of
from outlay.domain.query import UsageQuery
from outlay.domain.questions import MeterUsage, StepTotals
from outlay.storage.cube.store import CubeReader

PARTS: Final = (
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "input_cost_pusd",
    "cache_read_cost_pusd",
    "cache_write_cost_pusd",
    "output_cost_pusd",
)
"""Measures that the kinds are computed from."""

_Amounts = dict[str, dict[int, KindAmount]]
"""Amounts by kind and step."""


def read_kinds(reader: CubeReader, query: UsageQuery) -> Breakdown:
    """The breakdown of a query by kind of usage."""
    measures = tuple(dict.fromkeys((*query.measures, *PARTS)))
    plain = replace(query, group_by=None, named=None, measures=measures)
    by_step = reader.ask(StepTotals(plain))
    metered: dict[int, dict[str, KindAmount]] = {}
    for row in reader.ask(MeterUsage(plain)):
        metered.setdefault(row.step, {})[row.meter] = KindAmount(row.quantity, row.cost_pusd)
    amounts: _Amounts = {}
    for step, totals in by_step.items():
        for name, amount in kinds_of(totals, metered.get(step, {})).items():
            amounts.setdefault(name, {})[step] = amount
    return Breakdown(
        group_by=Dimension.KIND,
        steps=steps_of(query.period, query.interval),
        total=sum_totals(list(by_step.values())),
        by_step=by_step,
        entries=_entries(query, amounts),
    )


def _entries(query: UsageQuery, amounts: _Amounts) -> tuple[KindEntry, ...]:
    """The named kinds by the first rank, then all others together."""
    entries = [_entry(name, by_step) for name, by_step in amounts.items()]
    rank = query.ranks[0]
    entries.sort(key=lambda entry: (-entry.total.rank_value(rank), entry.key))
    if query.named is not None:
        kept = set(query.named)
    else:
        kept = set()
        for each in query.ranks:
            placed = sorted(entries, key=lambda one: (-one.total.rank_value(each), one.key))
            kept.update(entry.key for entry in placed[: query.top])
    named = [entry for entry in entries if entry.key in kept]
    others = [entry for entry in entries if entry.key not in kept]
    return (*named, _together(others)) if others else tuple(named)


def _entry(name: str, by_step: Mapping[int, KindAmount]) -> KindEntry:
    kind = find_kind(name)
    totals = {step: totals_of_kind(name, amount) for step, amount in by_step.items()}
    return KindEntry(
        kind=EntryKind.VALUE,
        key=name,
        label=kind.title,
        total=sum_totals(list(totals.values())),
        by_step=totals,
        unit=kind.unit,
        quantity=sum(amount.quantity for amount in by_step.values()),
        quantities={step: amount.quantity for step, amount in by_step.items()},
    )


def _together(entries: list[KindEntry]) -> KindEntry:
    """Several kinds as one; their units differ, so it has no quantity."""
    by_step: dict[int, Totals] = {}
    for entry in entries:
        for step, totals in entry.by_step.items():
            known = by_step.get(step)
            by_step[step] = totals if known is None else known.plus(totals)
    return KindEntry(
        kind=EntryKind.OTHER,
        key=EntryKind.OTHER.value,
        label=EntryKind.OTHER.value.capitalize(),
        total=sum_totals([entry.total for entry in entries]),
        by_step=by_step,
        members=len(entries),
        unit=None,
        quantity=0,
        quantities={},
    )

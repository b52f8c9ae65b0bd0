"""The totals of all values of a dimension in a period, without a limit on their number."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from outlay.domain.answers import ZERO, Totals, sum_totals
from outlay.domain.dimension import Grouping
from outlay.domain.period import Interval
from outlay.domain.query import UsageQuery
from outlay.domain.questions import StepTotals
from outlay.services.analytics.breakdowns import by_value
from outlay.storage.cube.store import CubeReader


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueTotals:
    """Totals by value. The values of groups may add up to more than the total."""

    values: Mapping[str, Totals]
    unattributed: Totals
    """Requests without a value."""
    total: Totals
    """Each request counted once."""


def read_value_totals(reader: CubeReader, query: UsageQuery, dimension: Grouping) -> ValueTotals:
    """The totals of every value, without Other."""
    whole = replace(query, group_by=None, then_by=None, interval=Interval.TOTAL)
    used = by_value(reader, whole, dimension)
    if dimension.is_single_valued:
        total = sum_totals(list(used.values()))
    else:
        total = reader.ask(StepTotals(whole)).get(0, ZERO)
    return ValueTotals(
        values={key: totals for key, totals in used.items() if key},
        unattributed=used.get("", ZERO),
        total=total,
    )

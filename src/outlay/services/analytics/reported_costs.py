"""Reported costs compared with the price book, by provider and by model.

Drift is computed over requests that have both costs, each complete. Requests with only a reported
cost are counted separately: an unknown cost is not a difference of 100 %.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from outlay.domain.answers import ZERO, Totals, sum_totals
from outlay.domain.dimension import Dimension
from outlay.domain.period import Interval, Period
from outlay.domain.query import QUALITY_MEASURES, UsageQuery
from outlay.domain.questions import MeterUsage, Rows, StepTotals
from outlay.storage.cube.rollups import COMPARED
from outlay.storage.cube.store import CubeReader

MEASURES: Final = (*QUALITY_MEASURES, *COMPARED)

LEVELS: Final[Mapping[Dimension, tuple[Dimension, ...]]] = {
    Dimension.PROVIDER: (Dimension.PROVIDER,),
    Dimension.MODEL: (Dimension.PROVIDER, Dimension.MODEL),
    Dimension.KIND: (Dimension.KIND,),
}
"""The levels of comparison, with the dimensions that distinguish their rows: the price of a model
depends on who charges for it. By kind of usage, a request is in the row of each of its meters:
those rows overlap, and show which meter causes the drift."""


@dataclass(frozen=True, slots=True)
class CostPair:
    """The reported and the computed cost of the same requests."""

    totals: Totals

    @property
    def requests(self) -> int:
        """Requests that have both costs."""
        return self.totals.reported_cost_requests - self.totals.uncompared_requests

    @property
    def reported_pusd(self) -> int:
        """The reported cost of those requests."""
        return self.totals.reported_cost_pusd - self.totals.uncompared_cost_pusd

    @property
    def computed_pusd(self) -> int:
        """Their cost by the price book."""
        return self.totals.computed_beside_pusd

    @property
    def drift_pusd(self) -> int | None:
        """Reported minus computed cost; None if no request has both."""
        return self.reported_pusd - self.computed_pusd if self.requests else None

    @property
    def drift(self) -> float | None:
        """The drift as a fraction of the computed cost; None if that is 0."""
        if self.drift_pusd is None or not self.computed_pusd:
            return None
        return self.drift_pusd / self.computed_pusd

    @property
    def drift_size_pusd(self) -> int:
        """The rank of a row: the absolute drift, 0 if it is unknown."""
        return abs(self.drift_pusd or 0)


@dataclass(frozen=True, slots=True)
class PairRow:
    """The costs of one provider, of one of its models, or of the requests with a meter."""

    keys: tuple[str, ...]
    """Empty for requests without a value."""
    pair: CostPair


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedCosts:
    """Reported and computed costs of a period."""

    rows: Mapping[Dimension, Sequence[PairRow]]
    """By level: the largest drift first, then by reported cost."""
    total: CostPair


def reported_costs_in(reader: CubeReader, query: UsageQuery) -> ReportedCosts:
    """Both costs of a question's requests, for the rows that have a reported one."""
    found = reader.ask(Rows(replace(query.by(*LEVELS[Dimension.MODEL]), measures=MEASURES)))
    by_model = {row.keys: row.measures for row in found}
    return ReportedCosts(
        rows={
            Dimension.PROVIDER: _ranked(_summed(by_model, 1)),
            Dimension.MODEL: _ranked(by_model),
            Dimension.KIND: _ranked(_by_meter(reader, query)),
        },
        total=CostPair(sum_totals([*by_model.values()])),
    )


def reported_total_in(reader: CubeReader, query: UsageQuery, period: Period) -> CostPair:
    """Both costs of another period as a whole."""
    asked = replace(query, period=period, group_by=None, measures=MEASURES)
    return CostPair(sum_totals([*reader.ask(StepTotals(asked)).values()]))


def _by_meter(reader: CubeReader, query: UsageQuery) -> Mapping[tuple[str, ...], Totals]:
    sums: dict[tuple[str, ...], Totals] = {}
    for row in reader.ask(MeterUsage(replace(query, group_by=None, interval=Interval.TOTAL))):
        totals = ZERO._replace(**{name: getattr(row, name) for name in COMPARED})
        sums[(row.meter,)] = sums.get((row.meter,), ZERO).plus(totals)
    return sums


def _summed(
    by_model: Mapping[tuple[str, ...], Totals], width: int
) -> Mapping[tuple[str, ...], Totals]:
    sums: dict[tuple[str, ...], Totals] = {}
    for keys, totals in by_model.items():
        sums[keys[:width]] = sums.get(keys[:width], ZERO).plus(totals)
    return sums


def _ranked(sums: Mapping[tuple[str, ...], Totals]) -> list[PairRow]:
    rows = [
        PairRow(keys, CostPair(totals))
        for keys, totals in sums.items()
        if totals.reported_cost_requests
    ]
    rows.sort(
        key=lambda row: (
            -row.pair.drift_size_pusd,
            -row.pair.totals.reported_cost_pusd,
            row.keys,
        )
    )
    return rows

"""Requests without a price when they were recorded that could be priced now."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final

from outlay.domain.answers import Row
from outlay.domain.dimension import Dimension, Grouping
from outlay.domain.event import CostSource, UsageSource
from outlay.domain.ids import OrganizationId
from outlay.domain.period import BUCKET_US, Interval, parse_zone, period_of_dates, steps_of
from outlay.domain.query import RowQuery
from outlay.domain.questions import Rows
from outlay.kit.clock import from_us
from outlay.services.analytics.analytics import Analytics
from outlay.services.directory.prices import PriceBooks
from outlay.services.repricing.repricer import repriced
from outlay.storage.cube.store import CubeReader
from outlay.storage.ledger.log import NEWEST_FIRST, LogConditions, LogFilter
from outlay.storage.ledger.store import Ledger

LOOK_BACK: Final = timedelta(days=90)
MAX_OFFERS: Final = 20
"""Maximum number of routes checked: those with the most requests."""

_MEASURES: Final = ("requests", "unpriced_requests", "partly_priced_requests")
_KNOWN: Final = tuple(source.value for source in UsageSource if source is not UsageSource.UNKNOWN)
"""Requests of unknown usage cannot be priced."""
_LACKING: Final = (CostSource.UNPRICED.value, CostSource.PARTIAL.value)


@dataclass(frozen=True, slots=True)
class Offer:
    """Unpriced requests of one route, the newest of which has a price now."""

    provider: str
    mapping: str
    requests: int
    from_date: date
    to_date: date


@dataclass(slots=True)
class _Lacking:
    requests: int = 0
    days: list[date] = field(default_factory=list)


class RepriceOffers:
    """Finds what can be repriced: the cube shows the routes, one request of each is read."""

    def __init__(self, analytics: Analytics, ledger: Ledger, prices: PriceBooks) -> None:
        self._analytics = analytics
        self._ledger = ledger
        self._prices = prices

    def list_for(self, organization_id: OrganizationId, timezone: str) -> Sequence[Offer]:
        """What an organization can reprice, most requests first."""
        today = from_us(self._analytics.now_us()).astimezone(parse_zone(timezone)).date()
        period = period_of_dates(today - LOOK_BACK, today, timezone)
        days = [step.start.date() for step in steps_of(period, Interval.DAY)]
        query = RowQuery(
            organization_id=organization_id,
            merges=self._analytics.merges(organization_id),
            period=period,
            measures=_MEASURES,
            interval=Interval.DAY,
            group_by=(Dimension.PROVIDER, Dimension.MAPPING),
        )
        found: dict[tuple[str, ...], _Lacking] = {}
        with self._analytics.read() as reader:
            for row in reader.ask(Rows(query)):
                if lacking := _lacking_in(row):
                    entry = found.setdefault(row.keys, _Lacking())
                    entry.requests += lacking
                    entry.days.append(days[row.step])
            most = sorted(found.items(), key=lambda item: -item[1].requests)[:MAX_OFFERS]
            return [
                Offer(keys[0], keys[1], entry.requests, entry.days[0], entry.days[-1])
                for keys, entry in most
                if self._has_price(reader, query, keys, entry.days[-1])
            ]

    def _has_price(
        self,
        reader: CubeReader,
        query: RowQuery,
        keys: tuple[str, ...],
        day: date,
    ) -> bool:
        """Whether the newest unpriced request of a route now has a price for more of its parts.

        The cube shows the hour of the day, so the ledger is read no further.
        """
        filters: dict[Grouping, tuple[str, ...]] = {
            dimension: (key,) for dimension, key in zip(query.group_by, keys, strict=True)
        }
        period = period_of_dates(day, day, query.period.timezone)
        hourly = replace(query, period=period, interval=Interval.HOUR, group_by=(), filters=filters)
        hours = [row.step for row in reader.ask(Rows(hourly)) if _lacking_in(row)]
        if not hours:
            return False
        hour = steps_of(period, Interval.HOUR)[hours[-1]]
        wanted = LogFilter(
            organization_id=query.organization_id,
            start_us=hour.start_bucket * BUCKET_US,
            end_us=hour.end_bucket * BUCKET_US,
            values=filters,
            conditions=LogConditions(cost_sources=_LACKING, usage_sources=_KNOWN),
            through_seq=reader.loaded_seq,
        )
        book = self._prices.book_for(query.organization_id)
        positions = self._ledger.read_positions(wanted, NEWEST_FIRST, None, 1)
        found = self._ledger.read_logged(query.organization_id, positions)
        return any(repriced(book, entry.event) is not entry.event for entry in found)


def _lacking_in(row: Row) -> int:
    """How many requests of a row lack a price for all or a part of their usage."""
    return row.measures.unpriced_requests + row.measures.partly_priced_requests

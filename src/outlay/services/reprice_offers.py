"""What had no price when it was recorded and has one now: offered to be priced again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from outlay.domain.dimension import Dimension
from outlay.domain.event import CostSource
from outlay.domain.period import BUCKET_US, Interval, parse_zone, period_of_dates, steps_of
from outlay.domain.query import RowQuery
from outlay.kit.clock import from_us
from outlay.pricing.book import PriceBook
from outlay.services.analytics import Analytics
from outlay.services.prices import PriceBooks
from outlay.services.repricing import repriced
from outlay.storage.ledger.log import NEWEST_FIRST, LogConditions, LogFilter
from outlay.storage.ledger.store import Ledger

LOOK_BACK: Final = timedelta(days=90)
MAX_OFFERS: Final = 20
"""Routes that are looked into: those with the most requests."""

_LACKING: Final = (CostSource.UNPRICED.value, CostSource.PARTIAL.value)


@dataclass(frozen=True, slots=True)
class Offer:
    """Requests of one route that lack a price, of which the newest has one now."""

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
    """Finds what could be priced again: the cube says where, one request of each is read."""

    def __init__(self, analytics: Analytics, ledger: Ledger, prices: PriceBooks) -> None:
        self._analytics = analytics
        self._ledger = ledger
        self._prices = prices

    def of(self, organization_id: str, timezone: str) -> Sequence[Offer]:
        """What an organization could price again, the most requests first."""
        today = from_us(self._analytics.now_us()).astimezone(parse_zone(timezone)).date()
        period = period_of_dates(today - LOOK_BACK, today, timezone)
        query = RowQuery(
            organization_id=organization_id,
            period=period,
            measures=("requests", "unpriced_requests", "partly_priced_requests"),
            interval=Interval.DAY,
            group_by=(Dimension.PROVIDER, Dimension.MAPPING),
        )
        days = [step.start.date() for step in steps_of(period, Interval.DAY)]
        found: dict[tuple[str, str], _Lacking] = {}
        with self._analytics.read() as reader:
            through_seq = reader.loaded_seq()
            for row in reader.rows(query):
                lacking = row.measures.unpriced_requests + row.measures.partly_priced_requests
                if lacking:
                    entry = found.setdefault((row.keys[0], row.keys[1]), _Lacking())
                    entry.requests += lacking
                    entry.days.append(days[row.step])
        most = sorted(found.items(), key=lambda item: -item[1].requests)[:MAX_OFFERS]
        book = self._prices.of(organization_id)
        return [
            Offer(provider, mapping, entry.requests, entry.days[0], entry.days[-1])
            for (provider, mapping), entry in most
            if self._has_price(
                book, organization_id, provider, mapping, entry.days[-1], timezone, through_seq
            )
        ]

    def _has_price(
        self,
        book: PriceBook,
        organization_id: str,
        provider: str,
        mapping: str,
        day: date,
        timezone: str,
        through_seq: int,
    ) -> bool:
        """Whether the newest request of a route that lacks a price would lack less of one now."""
        period = period_of_dates(day, day, timezone)
        wanted = LogFilter(
            organization_id=organization_id,
            start_us=period.start_bucket * BUCKET_US,
            end_us=period.end_bucket * BUCKET_US,
            values={Dimension.PROVIDER: (provider,), Dimension.MAPPING: (mapping,)},
            conditions=LogConditions(cost_sources=_LACKING),
            through_seq=through_seq,
        )
        positions = self._ledger.read_positions(wanted, NEWEST_FIRST, None, 1)
        for entry in self._ledger.read_logged(organization_id, positions):
            return repriced(book, entry.event) is not entry.event
        return False

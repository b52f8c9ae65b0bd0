"""Repricing of single recorded events."""

from dataclasses import replace
from typing import Final

from outlay.domain.errors import Invalid
from outlay.domain.event import CostSource, UsageEvent, UsageSource
from outlay.domain.meter import settle_meters, split_meters
from outlay.domain.price_context import read_context
from outlay.domain.usage import tokens_of
from outlay.pricing.book import PriceBook, PricedUsage
from outlay.services.recording.usage_pricing import (
    Billed,
    price_billed,
    price_fields,
    with_pictures,
)
from outlay.storage.ledger.cost_rows import CostRow


def reprice_event(book: PriceBook, event: UsageEvent) -> PricedUsage:
    """The cost of a stored event with this book.

    Raises Invalid if it is more than an event can have.
    """
    return price_billed(book, billed_of(event))


def billed_of(event: UsageEvent | CostRow) -> Billed:
    """What the cost of a stored event depends on."""
    usage = tokens_of(event)
    counted = None if event.usage_source == UsageSource.UNKNOWN else usage
    # Ledgers of earlier versions have images without their meter.
    meters = with_pictures(event.operation, counted, split_meters(event.meters))
    return Billed(
        provider=event.provider,
        mapping=event.mapping,
        response_model=event.response_model,
        at_us=event.event_time_us,
        operation=event.operation,
        status=event.status,
        usage=counted,
        meters=settle_meters(usage, meters)[0] if meters else meters,
        unread=event.unread.split(",") if event.unread else (),
        context=read_context(event.price_context),
        reported_cost_pusd=event.reported_cost_pusd,
        source=event.source,
    )


def repriced(book: PriceBook, event: UsageEvent) -> UsageEvent:
    """A stored event, repriced with this book.

    Returned unchanged if nothing relevant would change, or if it would cost more than an event can
    have.
    """
    try:
        fields = price_fields(reprice_event(book, event))
    except Invalid:
        return event
    is_same = all(fields[name] == getattr(event, name) for name in _COUNTED)
    if is_same and _kind(fields["cost_source"]) == _kind(event.cost_source):
        # In addition to a reported cost, the computed one is a measure of its own.
        computed = event.computed_cost_pusd
        if event.reported_cost_pusd is None or fields["computed_cost_pusd"] == computed:
            return event
    return replace(event, **fields)


_COUNTED: Final = (
    "cost_pusd",
    "input_cost_pusd",
    "cache_read_cost_pusd",
    "cache_write_cost_pusd",
    "output_cost_pusd",
    "meter_costs",
    "unpriced_parts",
)
"""The relevant fields of a price; which of two lists with the same price it is from is not
relevant.
"""


def _kind(source: CostSource) -> CostSource:
    return CostSource.COMPUTED if source is CostSource.OVERRIDE else source

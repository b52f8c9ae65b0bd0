"""Pricing what is on record again."""

from dataclasses import replace

from outlay.domain.errors import Invalid
from outlay.domain.event import CostSource, UsageEvent, UsageSource
from outlay.domain.meter import settle_meters, split_meters
from outlay.domain.usage import TokenUsage
from outlay.pricing.book import PriceBook, PricedUsage
from outlay.services.usage_pricing import (
    Billed,
    price_billed,
    price_fields,
    read_context,
    with_pictures,
)


def reprice_event(book: PriceBook, event: UsageEvent) -> PricedUsage:
    """What a stored event would cost if it were recorded with this book.

    Raises Invalid when that is more than an event may carry.
    """
    usage = TokenUsage(
        event.input_tokens,
        event.output_tokens,
        event.cache_read_input_tokens,
        event.cache_write_input_tokens,
        event.cache_write_1h_input_tokens,
        event.reasoning_output_tokens,
    )
    counted = None if event.usage_source is UsageSource.UNKNOWN else usage
    # Ledgers of earlier versions have pictures without their meter.
    meters, _ = settle_meters(
        usage, with_pictures(event.operation, counted, split_meters(event.meters))
    )
    return price_billed(
        book,
        Billed(
            provider=event.provider,
            mapping=event.mapping,
            response_model=event.response_model,
            at_us=event.event_time_us,
            operation=event.operation,
            status=event.status,
            usage=counted,
            meters=meters,
            unread=event.unread.split(",") if event.unread else (),
            context=read_context(event.price_context),
            reported_cost_pusd=event.reported_cost_pusd,
            source=event.source,
        ),
    )


def repriced(book: PriceBook, event: UsageEvent) -> UsageEvent:
    """A stored event as it would be if it were priced with this book.

    It is returned as it is where nothing that counts would change, and where it would cost more
    than an event may carry.
    """
    try:
        after = replace(event, **price_fields(reprice_event(book, event)))
    except Invalid:
        return event
    return event if _what_counts(after) == _what_counts(event) else after


def _what_counts(event: UsageEvent) -> tuple[object, ...]:
    """What of a price is counted or said: not by which of two lists with one price."""
    return (
        event.cost_pusd,
        event.input_cost_pusd,
        event.cache_read_cost_pusd,
        event.cache_write_cost_pusd,
        event.output_cost_pusd,
        event.meter_costs,
        event.unpriced_parts,
        event.cost_source in {CostSource.COMPUTED, CostSource.OVERRIDE} or event.cost_source,
        # Beside a reported cost the computed one is a measure of its own.
        None if event.reported_cost_pusd is None else event.computed_cost_pusd,
    )

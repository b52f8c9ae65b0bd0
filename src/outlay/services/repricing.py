"""Pricing what is on record again."""

from outlay.domain.event import UsageEvent, UsageSource
from outlay.domain.meter import settle_meters, split_meters
from outlay.domain.usage import TokenUsage
from outlay.pricing.book import PriceBook, PricedUsage
from outlay.services.usage_pricing import Billed, price_billed, read_context, with_pictures


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

"""Repricing recorded events."""

from dataclasses import replace

from tests.factories import make_event

from outlay.domain.event import CostSource, UsageEvent, UsageSource
from outlay.pricing.book import PriceBook
from outlay.services.recording.usage_pricing import price_fields
from outlay.services.repricing.repricer import billed_of, reprice_event, repriced

BOOK = PriceBook()


def priced(event: UsageEvent) -> UsageEvent:
    return replace(event, **price_fields(reprice_event(BOOK, event)))


def gpt(**changes: int) -> UsageEvent:
    return make_event(
        provider="openai", mapping="openai/gpt-4o", model="gpt-4o", **{"input_tokens": 9, **changes}
    )


def test_an_event_priced_with_the_same_book_stays_as_it_is() -> None:
    event = priced(gpt(output_tokens=4))

    assert event.cost_pusd > 0
    assert repriced(BOOK, event) is event


def test_wrong_cost_is_corrected() -> None:
    right = priced(gpt())
    wrong = replace(right, cost_pusd=1, input_cost_pusd=1)

    assert repriced(BOOK, wrong) == right


def test_unpriceable_usage_stays_unpriced() -> None:
    unknown = make_event(provider="acme", mapping="acme/secret", input_tokens=5)

    assert repriced(BOOK, unknown).cost_source is CostSource.UNPRICED


def test_uncounted_usage_is_not_zero() -> None:
    assert billed_of(make_event(usage_source=UsageSource.UNKNOWN)).usage is None
    assert billed_of(make_event(input_tokens=3)).usage is not None

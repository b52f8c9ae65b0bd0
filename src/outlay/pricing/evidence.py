"""The lines that make up a recorded cost, reconstructed from its price.

A price may no longer exist, or may have changed under the same name. This is detected: lines are
returned only if each part adds up to the recorded amount.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from outlay.domain.event import CostSource, UsageEvent
from outlay.domain.meter import split_meters
from outlay.domain.money import render_usd
from outlay.domain.price_context import read_context
from outlay.domain.usage import tokens_of
from outlay.domain.usage_report import BATCH
from outlay.pricing.book import NO_TOKENS, PriceBook
from outlay.pricing.entries import PriceOverride
from outlay.pricing.lines import PriceLine, lines_of_cost
from outlay.pricing.rates import CostParts, TieredRates, add_meters, cost_of, scale_rates
from outlay.pricing.reference import LIST, PriceRef, parse_ref

if TYPE_CHECKING:
    from outlay.pricing.seed import PriceList


class Evidence(NamedTuple):
    """The lines of a computed cost."""

    lines: tuple[PriceLine, ...] = ()
    """They add up to the computed cost; empty if the price is no longer known."""
    note: str = ""
    """Why there are no lines, or remarks on them, as sentences."""


class _Found(NamedTuple):
    rates: TieredRates | None
    note: str = ""


def explain_cost(
    event: UsageEvent, book: PriceBook, find_list: Callable[[str], "PriceList | None"]
) -> Evidence:
    """The lines of an event's computed cost.

    `book` has the overrides that the event may refer to, `find_list` returns a version of the list.
    """
    if event.cost_source is CostSource.REPORTED:
        return _explain_beside(event, book)
    if event.cost_source is CostSource.UNPRICED or not event.price_ref:
        return Evidence()
    found = _find(event, book, find_list)
    if found.rates is None:
        return Evidence(note=found.note)
    parts, lines = _calculate(event, found.rates)
    if (parts.total, *parts[1:6]) != (
        event.cost_pusd,
        event.input_cost_pusd,
        event.cache_read_cost_pusd,
        event.cache_write_cost_pusd,
        event.output_cost_pusd,
        event.meter_cost_pusd,
    ):
        return Evidence(
            note=f"{found.note} {event.price_ref} gives {render_usd(parts.total)} USD today, in "
            f"other parts or in all than the {render_usd(event.cost_pusd)} USD on record: the "
            "price has changed since.".lstrip()
        )
    return Evidence(lines, found.note)


def computed_cost_of(event: UsageEvent) -> int | None:
    """The price book's cost of an event, whichever cost counts; None if it had none."""
    if event.cost_source in {CostSource.REPORTED, CostSource.UNPRICED}:
        return event.computed_cost_pusd
    return event.cost_pusd


def _calculate(event: UsageEvent, rates: TieredRates) -> tuple[CostParts, tuple[PriceLine, ...]]:
    usage = tokens_of(event)
    if event.operation == BATCH:
        rates = rates._replace(tiers=())
    meters = split_meters(event.meters)
    return cost_of(rates, usage, meters), tuple(lines_of_cost(rates, usage, meters))


def _find(
    event: UsageEvent, book: PriceBook, find_list: Callable[[str], "PriceList | None"]
) -> _Found:
    """The rates that an event refers to."""
    ref = parse_ref(event.price_ref)
    own: list[PriceOverride] = []
    for name in ref.own:
        override = book.find_override_by_name(name)
        if override is None:
            return _Found(None, f"There is no price {name} any more.")
        own.append(override)
    found = _find_listed(event, ref, book, find_list) if ref.version else _Found(NO_TOKENS)
    if found.rates is None:
        return found
    rates, added = found.rates, [price for price in own if price.is_addition]
    if base := next((price for price in own if not price.is_addition), None):
        rates = base.rates if base.shares is None else scale_rates(rates, base.shares)
    kept = {} if base is None or base.shares else base.rates.base.meters
    laid = {name: rate for price in added for name, rate in price.rates.base.meters.items()}
    return found._replace(rates=add_meters(rates, {**laid, **kept}))


def _find_listed(
    event: UsageEvent,
    ref: PriceRef,
    book: PriceBook,
    find_list: Callable[[str], "PriceList | None"],
) -> _Found:
    price_list, note = find_list(ref.version), ""
    if price_list is None:
        price_list = book.price_list
        note = (
            f"The list {LIST} {ref.version}, which priced this request, is not here any more; "
            f"this is looked up in {price_list.version}."
        )
    context = read_context(event.price_context) if ref.context is None else ref.context
    listed = price_list.find_listed(ref, event.event_time_us, context)
    if listed is None:
        gone = f"{LIST} {price_list.version} has no price for {ref.provider}/{ref.model}."
        return _Found(None, f"{note} {gone}".lstrip())
    return _Found(listed.rates, note)


def _explain_beside(event: UsageEvent, book: PriceBook) -> Evidence:
    """The lines of the computed cost of a request whose reported cost counts.

    No reference identifies that price: it is one that yields the recorded amount.
    """
    if event.computed_cost_pusd is None:
        return Evidence()
    context = read_context(event.price_context)
    for mapping in _mappings(event):
        found = book.find(event.provider, mapping, event.event_time_us, context)
        if found.rates is not None:
            parts, lines = _calculate(event, found.rates)
            if parts.total == event.computed_cost_pusd:
                return Evidence(lines, f"Computed at {found.ref}.")
    if not event.computed_cost_pusd:
        return Evidence()
    return Evidence(
        note="The price book gives a different amount today: its prices have changed since."
    )


def _mappings(event: UsageEvent) -> Iterator[str]:
    yield event.mapping
    if event.response_model:
        yield f"{event.provider}/{event.response_model}"

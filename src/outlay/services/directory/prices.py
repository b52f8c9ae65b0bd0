"""Prices and exchange rates of organizations, which override the operator's file and the list."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from outlay.domain.actor import Actor
from outlay.domain.audit import Action, Value
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.event import CostSource, UsageEvent
from outlay.domain.ids import OrganizationId
from outlay.domain.organization_price import OrganizationPrice, OrganizationRate, OwnPrices
from outlay.domain.policy import Permission, permit, permit_one_of
from outlay.kit.cache import Cache
from outlay.kit.ids import new_id
from outlay.pricing.book import PriceBook
from outlay.pricing.entries import Numbered, PriceOverride
from outlay.pricing.evidence import Evidence, explain_cost
from outlay.pricing.exchange import Conversion
from outlay.pricing.overrides import Overrides, read_entries
from outlay.pricing.reference import parse_ref
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.services.directory.text_rules import check_found
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.exchange_rates import (
    create_exchange_rate,
    delete_exchange_rate,
    list_exchange_rates,
)
from outlay.storage.directory.price_overrides import (
    create_price_override,
    delete_price_override,
    find_price_overrides,
    list_price_overrides,
    next_number,
)
from outlay.storage.directory.session import ReadSession

if TYPE_CHECKING:
    from outlay.pricing.seed import PriceList

MAX_PRICES: Final = 1_000
MAX_RATES: Final = 400
_DATES: Final = ("effective_from", "effective_to")


class Prices:
    """Manages the prices and exchange rates of an actor's organization."""

    def __init__(self, directory: Directory, audited: AuditedChanges) -> None:
        self._directory = directory
        self._audited = audited

    def list_for(self, actor: Actor) -> OwnPrices:
        """The valid prices and rates."""
        permit_one_of(actor, Permission.PRICES_READ, Permission.PRICES_WRITE)
        with self._directory.read() as session:
            return read_own(session, actor.organization_id)

    def draft(self, actor: Actor, entry: Mapping[str, Any]) -> OrganizationPrice:
        """A price that can be created; raises Invalid with every error in it."""
        permit(actor, Permission.PRICES_WRITE)
        with self._directory.read() as session:
            return _draft(session, actor, entry)

    def create(self, actor: Actor, entry: Mapping[str, Any]) -> OrganizationPrice:
        """Create a price; raises Invalid with every error in it. Recorded costs do not change."""
        with self._audited.change(actor, Permission.PRICES_WRITE) as change:
            price = _draft(change.session, actor, entry)
            create_price_override(change.session, price, change.now_us)
            change.note(Action.PRICE_CREATE, price.price_id, after=_describe(price.entry))
        return price

    def delete(self, actor: Actor, price_id: str) -> None:
        """Delete a price: later requests are priced without it."""
        with self._audited.change(actor, Permission.PRICES_WRITE) as change:
            price = self.find(read_own(change.session, actor.organization_id), price_id)
            delete_price_override(change.session, price_id, change.now_us)
            change.note(Action.PRICE_DELETE, price_id, before=_describe(price.entry))

    def referred(
        self, organization_id: OrganizationId, price_ref: str
    ) -> list[tuple[OrganizationPrice, str]]:
        """The prices that an event refers to, including deleted ones, each with its conversion."""
        parts = re.findall(r"(prc_\w+)(?::([A-Z]{3}@[0-9.]+))?", price_ref)
        if not parts:
            return []
        conversion_of = dict(parts)
        with self._directory.read() as session:
            found = find_price_overrides(session, organization_id, [*conversion_of])
        return [(price, conversion_of[price.price_id]) for price in found]

    def find(self, own: OwnPrices, price_id: str) -> OrganizationPrice:
        """The price with an id; NotFound without one."""
        with_id = (known for known in own.prices if known.price_id == price_id)
        return check_found(next(with_id, None), "price")

    def draft_rate(self, actor: Actor, entry: Mapping[str, Any]) -> OrganizationRate:
        """An exchange rate that can be created; raises Invalid with every error in it."""
        permit(actor, Permission.PRICES_WRITE)
        with self._directory.read() as session:
            return _draft_rate(session, actor, entry)

    def create_rate(self, actor: Actor, entry: Mapping[str, Any]) -> OrganizationRate:
        """Create an exchange rate, valid until the next one; raises Invalid with every error in
        it."""
        with self._audited.change(actor, Permission.PRICES_WRITE) as change:
            rate = _draft_rate(change.session, actor, entry)
            create_exchange_rate(change.session, rate, change.now_us)
            change.note(Action.EXCHANGE_RATE_CREATE, rate.rate_id, after=_describe(rate.entry))
        return rate

    def delete_rate(self, actor: Actor, rate_id: str) -> None:
        """Delete an exchange rate: the previous one applies instead. Raises Invalid while a price
        needs it."""
        with self._audited.change(actor, Permission.PRICES_WRITE) as change:
            own = read_own(change.session, actor.organization_id)
            with_id = (known for known in own.rates if known.rate_id == rate_id)
            rate = check_found(next(with_id, None), "exchange rate")
            _check_dispensable(own, rate)
            delete_exchange_rate(change.session, rate_id, change.now_us)
            change.note(Action.EXCHANGE_RATE_DELETE, rate_id, before=_describe(rate.entry))


class PriceBooks:
    """The price book of each organization; call `refresh` after directory changes."""

    def __init__(
        self,
        directory: Directory,
        base: PriceBook,
        find_list: Callable[[str], "PriceList | None"],
    ) -> None:
        """`base` applies to organizations without prices of their own.

        `find_list` returns the price lists of recorded requests, by version.
        """
        self._find_list = find_list
        self._directory = directory
        self.base = base
        self._books: Cache[OrganizationId, PriceBook] = Cache(self.read)

    def knows(self, organization_id: OrganizationId) -> bool:
        """Whether an organization's data is cached."""
        return organization_id in self._books

    def refresh(self) -> None:
        """Reload the cached data."""
        self._books.refresh()

    def book_for(self, organization_id: OrganizationId) -> PriceBook:
        """The book for an organization's requests."""
        return self._books.get(organization_id)

    def explain(self, event: UsageEvent) -> Evidence:
        """The lines of a recorded request's cost, by the price that was applied."""
        book = self.base
        if event.cost_source is CostSource.REPORTED:
            book = self.book_for(event.organization_id)
        else:
            ids = [name.partition(":")[0] for name in parse_ref(event.price_ref).own]
            with self._directory.read() as session:
                prices = find_price_overrides(session, event.organization_id, ids)
                rates = list_exchange_rates(session, event.organization_id)
            # One by one: the period of a deleted price may overlap that of its successor.
            own = [price for one in prices for price in _compiled_alone(one, rates)]
            book = book.beneath(Overrides(prices=tuple(own)))
        return explain_cost(event, book, self._find_list)

    def read(self, organization_id: OrganizationId) -> PriceBook:
        """The current book, regardless of the cache."""
        with self._directory.read() as session:
            own = read_own(session, organization_id)
        return book_with(self.base, own)


def read_own(session: ReadSession, organization_id: OrganizationId) -> OwnPrices:
    """The valid prices and exchange rates of an organization."""
    return OwnPrices(
        list_price_overrides(session, organization_id),
        list_exchange_rates(session, organization_id),
    )


def book_with(base: PriceBook, own: OwnPrices) -> PriceBook:
    """A book with an organization's prices on top."""
    return base.beneath(Overrides(prices=compile_prices(own))) if own else base


def compile_prices(own: OwnPrices) -> tuple[PriceOverride, ...]:
    """Compile prices; raises Invalid with every error, and the field of the first."""
    prices = [
        Numbered(price.number, f"price {price.price_id}", price.price_id, _with_dates(price.entry))
        for price in own.prices
    ]
    return read_entries(prices, [(rate.rate_id, _with_dates(rate.entry)) for rate in own.rates])


def conversions(own: OwnPrices, at_us: int) -> dict[str, Conversion]:
    """By price, the exchange rate of its conversion: the current one, or the first."""
    numbers = {price.number: price.price_id for price in own.prices}
    found: dict[str, Conversion] = {}
    for price in compile_prices(own):
        price_id = numbers[price.number]
        if price.conversion and (price.from_us <= at_us or price_id not in found):
            found[price_id] = price.conversion
    return found


def _compiled_alone(
    price: OrganizationPrice, rates: list[OrganizationRate]
) -> tuple[PriceOverride, ...]:
    """A price as it was in the past; empty if its exchange rate no longer exists."""
    try:
        return compile_prices(OwnPrices([price], rates))
    except Invalid:
        return ()


def _draft(session: ReadSession, actor: Actor, entry: Mapping[str, Any]) -> OrganizationPrice:
    own = read_own(session, actor.organization_id)
    if len(own.prices) >= MAX_PRICES:
        raise Invalid(f"An organization can have at most {MAX_PRICES:,} prices.")
    price = OrganizationPrice(
        price_id=new_id("prc"),
        organization_id=actor.organization_id,
        number=next_number(session, actor.organization_id),
        entry=dict(entry),
    )
    compile_prices(replace(own, prices=[*own.prices, price]))
    return price


def _draft_rate(session: ReadSession, actor: Actor, entry: Mapping[str, Any]) -> OrganizationRate:
    own = read_own(session, actor.organization_id)
    if len(own.rates) >= MAX_RATES:
        raise Invalid(f"An organization can have at most {MAX_RATES:,} exchange rates.")
    rate = OrganizationRate(
        rate_id=new_id("fx"),
        organization_id=actor.organization_id,
        currency=str(entry.get("currency", "")).strip().upper(),
        effective_from=entry.get("effective_from"),
        usd=entry.get("usd", ""),
    )
    compile_prices(replace(own, rates=[*own.rates, rate]))
    return rate


def _check_dispensable(own: OwnPrices, rate: OrganizationRate) -> None:
    """Raise Invalid if a price of the organization would start before the remaining rates."""
    left = [other for other in own.rates if other.rate_id != rate.rate_id]
    for price in own.prices:
        try:
            compile_prices(OwnPrices([price], left))
        except Invalid as error:
            raise Invalid(
                f"The price {price.price_id} needs this exchange rate. Delete that price first or "
                "add an earlier rate.",
                code=ErrorCode.EXCHANGE_RATE_NEEDED,
            ) from error


def _with_dates(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with parsed dates, as in TOML; anything that is not a date is left for
    validation."""
    read = dict(entry)
    for name in _DATES:
        try:
            read[name] = date.fromisoformat(entry[name])
        except (KeyError, TypeError, ValueError):
            continue
    return read


def _describe(entry: Mapping[str, Any]) -> dict[str, Value]:
    return {name: _flat(value) for name, value in entry.items()}


def _flat(value: object) -> Value:
    if isinstance(value, list):
        return [", ".join(f"{name} {part}" for name, part in tier.items()) for tier in value]
    if isinstance(value, dict):
        return {str(name): str(part) for name, part in value.items()}
    return str(value)

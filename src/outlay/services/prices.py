"""Prices of organizations, above the operator's file and the list."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from outlay.domain.actor import Actor
from outlay.domain.audit import Action, Value
from outlay.domain.errors import Invalid
from outlay.domain.event import CostSource, UsageEvent
from outlay.domain.organization_price import OrganizationPrice
from outlay.kit.cache import Cache
from outlay.kit.ids import new_id
from outlay.pricing.book import PriceBook
from outlay.pricing.evidence import Evidence, explain_cost
from outlay.pricing.overrides import Overrides, PriceOverride, read_entries
from outlay.pricing.reference import parse_ref
from outlay.services.checks import pick
from outlay.services.trail import Trail
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.price_overrides import (
    create_price_override,
    delete_price_override,
    find_price_override,
    list_price_overrides,
    next_number,
)

if TYPE_CHECKING:
    from outlay.pricing.seed import PriceList

MAX_PRICES: Final = 1_000
_DATES: Final = ("effective_from", "effective_to")


class Prices:
    """Sets the prices of an actor's organization."""

    def __init__(self, directory: Directory, trail: Trail) -> None:
        self._directory = directory
        self._trail = trail

    def of(self, actor: Actor) -> list[OrganizationPrice]:
        """The prices that apply, oldest first."""
        with self._directory.read() as session:
            return list_price_overrides(session, actor.organization_id)

    def create(self, actor: Actor, entry: Mapping[str, Any]) -> OrganizationPrice:
        """A new price; Invalid names every fault in it. What is recorded keeps its cost."""
        with self._trail.change(actor) as change:
            known = list_price_overrides(change.session, actor.organization_id)
            if len(known) >= MAX_PRICES:
                raise Invalid(f"an organization has at most {MAX_PRICES:,} prices of its own")
            price = OrganizationPrice(
                price_id=new_id("prc"),
                organization_id=actor.organization_id,
                number=next_number(change.session, actor.organization_id),
                entry=dict(entry),
            )
            compile_prices([*known, price])
            create_price_override(change.session, price, change.now_us)
            change.note(Action.PRICE_CREATE, price.price_id, after=_describe(price))
        return price

    def delete(self, actor: Actor, price_id: str) -> None:
        """Remove a price: later requests are priced without it."""
        with self._trail.change(actor) as change:
            price = pick(
                list_price_overrides(change.session, actor.organization_id),
                lambda known: known.price_id == price_id,
                "price",
            )
            delete_price_override(change.session, price_id, change.now_us)
            change.note(Action.PRICE_DELETE, price_id, before=_describe(price))


class PriceBooks:
    """The price book of each organization; `refresh` after the directory has changed."""

    def __init__(
        self,
        directory: Directory,
        base: PriceBook,
        find_list: Callable[[str], "PriceList | None"],
    ) -> None:
        """`base` holds for organizations without prices of their own.

        `find_list` has the lists that requests on record were priced by, by their versions.
        """
        self._find_list = find_list
        self._directory = directory
        self.base = base
        self._books: Cache[str, PriceBook] = Cache(self.read)

    def knows(self, organization_id: str) -> bool:
        """Whether what there is of an organization is in memory."""
        return organization_id in self._books

    def refresh(self) -> None:
        """Read again what is known of the directory."""
        self._books.refresh()

    def of(self, organization_id: str) -> PriceBook:
        """The book that an organization's requests are priced by."""
        return self._books.get(organization_id)

    def explain(self, event: UsageEvent) -> Evidence:
        """The lines of what a request on record costs, by the price that it was made with."""
        book = self.base
        price_id = parse_ref(event.price_ref).price_id
        with self._directory.read() as session:
            price = find_price_override(session, event.organization_id, price_id)
        if price is not None:
            book = book_with(book, [price])
        elif event.cost_source is CostSource.REPORTED:
            book = self.of(event.organization_id)
        return explain_cost(event, book, self._find_list)

    def read(self, organization_id: str) -> PriceBook:
        """The same as it is this moment, whatever is kept in memory."""
        with self._directory.read() as session:
            prices = list_price_overrides(session, organization_id)
        return book_with(self.base, prices)


def book_with(base: PriceBook, prices: list[OrganizationPrice]) -> PriceBook:
    """A book with prices of an organization on top."""
    return base.beneath(Overrides(prices=compile_prices(prices))) if prices else base


def compile_prices(prices: list[OrganizationPrice]) -> tuple[PriceOverride, ...]:
    """Prices ready to be applied; Invalid names every fault."""
    return read_entries(
        [(price.number, price.price_id, _with_dates(price.entry)) for price in prices]
    )


def _with_dates(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with its dates as such, as TOML has them; what is no date is left to be refused."""
    read = dict(entry)
    for name in _DATES:
        try:
            read[name] = date.fromisoformat(entry[name])
        except (KeyError, TypeError, ValueError):
            continue
    return read


def _describe(price: OrganizationPrice) -> dict[str, Value]:
    return {name: _flat(value) for name, value in price.entry.items()}


def _flat(value: object) -> Value:
    if isinstance(value, list):
        return [", ".join(f"{name} {part}" for name, part in tier.items()) for tier in value]
    if isinstance(value, dict):
        return {str(name): str(part) for name, part in value.items()}
    return str(value)

"""Prices of an organization as the settings list them: in their currency, with the exchange
rate."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from outlay.domain.currency import USD
from outlay.domain.meter import METERS
from outlay.domain.organization_price import OrganizationPrice, OwnPrices
from outlay.pricing.exchange import Conversion
from outlay.pricing.rates import PRICES, Shares
from outlay.services.directory.prices import conversions

COLUMNS: Final = ("input", "output", "cache_read")
"""Prices with their own column."""
TITLES: Final = {
    "input": "Input",
    "output": "Output",
    "cache_read": "Cache read",
    "cache_write": "Cache write",
    "cache_write_1h": "Cache write, 1 hour",
    "reasoning": "Reasoning",
    "per_request": "Per request",
    **{meter.name: meter.title for meter in METERS.values()},
}
"""Labels of prices and meters."""
METER_CHOICES: Final = {
    meter.name: f"{meter.title}, per {meter.unit.priced_per:,} {meter.unit.value}"
    for meter in METERS.values()
}
PERCENT_CHOICES: Final = {name: TITLES[name] for name in (*PRICES, *METERS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRow:
    """A price in the list."""

    price_id: str
    model: str
    provider: str
    context: Mapping[str, str]
    cells: tuple[str, ...]
    """By COLUMNS."""
    more: tuple[str, ...]
    """Further details."""
    valid: str


def price_rows(own: OwnPrices, now_us: int) -> list[PriceRow]:
    """All prices, oldest first."""
    rates = conversions(own, now_us)
    return [_row(price, rates.get(price.price_id)) for price in own.prices]


def describe_price(price: OrganizationPrice, conversion: str) -> str:
    """A price in its own currency, with the exchange rate as in price references."""
    entry = price.entry
    columns = [f"{TITLES[name]} {_money(entry[name], entry)}" for name in COLUMNS if name in entry]
    shares = [
        f"{TITLES[name]} {percent} %"
        for name, percent in entry.get("percents", {}).items()
        if name in COLUMNS
    ]
    currency, _, usd = conversion.partition("@")
    rate = [f"1 {currency} = {usd} USD"] if usd else []
    return "; ".join([*columns, *_more(entry, None), *shares, *rate])


def _row(price: OrganizationPrice, conversion: Conversion | None) -> PriceRow:
    entry = price.entry
    is_share = "percent_of_list" in entry or "percents" in entry
    begin, end = entry.get("effective_from"), entry.get("effective_to")
    return PriceRow(
        price_id=price.price_id,
        model=entry.get("model", "all models"),
        provider=entry.get("provider", "any"),
        context=entry.get("context", {}),
        cells=_shares(entry) if is_share else tuple(_amount(entry, name) for name in COLUMNS),
        more=tuple(_more(entry, conversion)),
        valid=(begin or "always") + (f" to {end}" if end else ""),
    )


def _shares(entry: Mapping[str, Any]) -> tuple[str, ...]:
    parts = {name: Decimal(value) for name, value in entry.get("percents", {}).items()}
    shares = Shares(Decimal(entry.get("percent_of_list", "100")), parts)
    return tuple(f"{shares.of(name)} %" for name in COLUMNS)


def _amount(entry: Mapping[str, Any], name: str) -> str:
    return _money(entry[name], entry) if name in entry else "–"


def _money(amount: str, entry: Mapping[str, Any]) -> str:
    currency = entry.get("currency", USD).strip().upper()
    return f"${amount}" if currency == USD else f"{amount} {currency}"


def _more(entry: Mapping[str, Any], conversion: Conversion | None) -> Iterator[str]:
    if "percent_of_list" in entry or "percents" in entry:
        yield f"{entry.get('percent_of_list', '100')} % of the list"
    for name, percent in entry.get("percents", {}).items():
        if name not in COLUMNS:
            yield f"{TITLES[name]} {percent} %"
    for name in PRICES:
        if name in entry and name not in COLUMNS:
            yield f"{TITLES[name]} {_money(entry[name], entry)}"
    for name, amount in entry.get("meters", {}).items():
        unit = METERS[name].unit
        yield f"{TITLES[name]} {_money(amount, entry)} per {unit.priced_per:,} {unit.value}"
    for tier in entry.get("tier", []):
        changed = (f"{TITLES[name]} {_money(tier[name], entry)}" for name in PRICES if name in tier)
        yield f"Input above {tier['above']:,} tokens: {', '.join(changed)}"
    if conversion is not None:
        yield f"1 {conversion.currency} = {conversion.usd:f} USD"

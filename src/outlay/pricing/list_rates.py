"""Prices of genai-prices, compiled to rates."""

from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from genai_prices.types import ModelPrice, TieredPrices
from genai_prices.units import _get_registry

from outlay.domain.meter import METERS, MeterUnit
from outlay.domain.money import parse_usd
from outlay.pricing.own_data import NO_OWN, OwnPrice
from outlay.pricing.rates import MeterRate, Rates, TieredRates, compile_rates

_NAMES: Final[Mapping[str, str]] = {
    "input_mtok": "input",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_mtok": "output",
    "output_reasoning_mtok": "reasoning",
    "requests_kcount": "per_request",
}
"""Prices of the six token counts, and of a request."""


def _meters() -> Iterator[tuple[str, tuple[str, int]]]:
    """The meter of each other price of the list, and the quantity it is for."""
    for unit in _get_registry().units.values():
        name, per = unit.usage_key, unit.per
        if name.endswith("_seconds"):
            name, per = f"{name.removesuffix('_seconds')}_milliseconds", per * 1000
        if name in METERS:
            yield unit.price_key, (name, per)


_METERS: Final[Mapping[str, tuple[str, int]]] = dict(_meters())

_PICO: Final = Decimal("1e-12")

_Listed = Mapping[str, Decimal | TieredPrices]


def compile_prices(prices: ModelPrice, own: OwnPrice = NO_OWN) -> TieredRates | None:
    """Rates of a list price, some from our own data; None if the list has none."""
    listed = {
        key: value
        for key, value in prices.__dict__.items()
        if (key in _NAMES or key in _METERS) and isinstance(value, Decimal | TieredPrices)
    }
    if not listed:
        return None
    starts = {start for start, _ in own.tiers} or {
        tier.start
        for value in listed.values()
        if isinstance(value, TieredPrices)
        for tier in value.tiers
    }
    return TieredRates(
        base=_rates_at(listed, own, 0),
        tiers=tuple(
            (start, _rates_at(listed, own, start + 1)) for start in sorted(starts, reverse=True)
        ),
    )


def _rates_at(listed: _Listed, own: OwnPrice, input_tokens: int) -> Rates:
    """The rates for a request with this many input tokens."""
    prices: dict[str, Decimal] = {}
    meters: dict[str, MeterRate] = {}
    for key, price in listed.items():
        applicable = price if isinstance(price, Decimal) else price.base
        for tier in price.tiers if isinstance(price, TieredPrices) else ():
            if input_tokens > tier.start:
                applicable = tier.price
        if key in _METERS:
            name, per = _METERS[key]
            meters[name] = _meter_rate(name, applicable, per, own)
            continue
        if _NAMES[key] == "per_request":
            applicable /= 1000
        prices[_NAMES[key]] = _rounded(applicable)
    prices |= own.prices
    for start, changed in own.tiers:
        if input_tokens > start:
            prices |= changed
    for name, price in own.meters.items():
        meters[name] = _meter_rate(name, price, METERS[name].unit.priced_per, own)
    if own.percent is not None:
        prices = {
            name: price if name == "per_request" else _rounded(price * own.percent / 100)
            for name, price in prices.items()
        }
    unlisted = (
        ()
        if "per_request" in prices
        else tuple(f"{name}_tokens" for name in ("input", "output") if name not in prices)
    )
    return compile_rates(prices, meters, unlisted)


def _meter_rate(name: str, price: Decimal, per: int, own: OwnPrice) -> MeterRate:
    if own.percent is not None and METERS[name].unit is MeterUnit.TOKENS:
        price = price * own.percent / 100
    return MeterRate(parse_usd(_rounded(price)), per, own.least.get(name, 0))


def _rounded(price: Decimal) -> Decimal:
    """Some thirty prices were computed with floats (0.18000000000000002).

    Digits past the twelfth decimal of a dollar are noise.
    """
    return price.quantize(_PICO, rounding=ROUND_HALF_EVEN)

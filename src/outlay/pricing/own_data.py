"""Outlay's own dated price data, on top of the list: `data/own_prices.toml`, each entry with its
source.
"""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from outlay.kit.clock import FOREVER_US, to_us
from outlay.pricing.rates import NO_METERS, PRICES

_TEXT: Final = (files("outlay.pricing") / "data" / "own_prices.toml").read_bytes()
_DATA: Final[Mapping[str, Any]] = tomllib.loads(_TEXT.decode())

OWN_DATA: Final = sha256(_TEXT).hexdigest()[:8]
"""The version of this data, part of price references."""

Prices = Mapping[str, Decimal]


class OwnPrice(NamedTuple):
    """Own data for one price of the list."""

    prices: Prices = NO_METERS
    """In place of the list's prices, by the names in `rates.PRICES`."""
    tiers: tuple[tuple[int, Prices], ...] = ()
    """(start, prices) with ascending starts; these replace all tiers of the list."""
    meters: Prices = NO_METERS
    """In place of the list's meter prices, per the unit that lists use."""
    least: Mapping[str, int] = NO_METERS
    """Minimum billed quantity by meter."""
    percent: Decimal | None = None
    """Of all token rates."""
    known: frozenset[str] = frozenset()
    """Keys of the context for which this data makes the price known."""
    pinned: frozenset[str] = frozenset()
    """Those of them that change the price."""
    missing: tuple[str, ...] = ()
    """Keys of the context that the price depends on and that are not given."""
    from_us: int = -FOREVER_US
    until_us: int = FOREVER_US

    @property
    def is_used(self) -> bool:
        """Whether it changes the price."""
        said = (self.prices, self.tiers, self.meters, self.least)
        return any(said) or self.percent is not None


NO_OWN: Final = OwnPrice()


class Priced(NamedTuple):
    """The request for a price."""

    provider: str
    maker: str
    """The provider whose list has the model."""
    model: str
    at_us: int
    context: Mapping[str, str]
    is_variant: bool
    """Whether the context selects a variant of the list."""

    def is_of(self, entry: Mapping[str, Any]) -> bool:
        """Whether an entry is for this provider, maker and model."""
        return (
            entry["provider"] == self.provider
            and entry.get("maker", self.maker) == self.maker
            and any(fnmatchcase(self.model, name) for name in entry.get("models", ("*",)))
        )

    def has(self, context: Mapping[str, str]) -> bool:
        """Whether the context of an entry is a subset of this one's."""
        return all(
            key in self.context and fnmatchcase(self.context[key], value)
            for key, value in context.items()
        )


def find_own(asked: Priced) -> OwnPrice:
    """Own data for a price of the list."""
    prices: dict[str, Decimal] = {}
    tiers: tuple[tuple[int, Prices], ...] = ()
    meters: dict[str, Decimal] = {}
    pinned: set[str] = set()
    from_us, until_us = -FOREVER_US, FOREVER_US
    for entry in _rates_of(asked):
        since_us, before_us = _span_of(entry)
        if since_us <= asked.at_us < before_us:
            from_us, until_us = max(from_us, since_us), min(until_us, before_us)
            prices |= _decimals(entry, PRICES)
            meters |= _decimals(entry.get("meters", {}))
            tiers = _tiers_of(entry) or tiers
            pinned |= entry.get("context", {}).keys()
        elif asked.at_us < since_us:
            until_us = min(until_us, since_us)
        else:
            from_us = max(from_us, before_us)
    percent, known, changing = _multiplied(asked)
    about = [entry for entry in _DATA["minimum"] if asked.is_of(entry)]
    needed = [entry["key"] for entry in _DATA["needed_context"] if asked.is_of(entry)]
    return OwnPrice(
        prices=prices,
        tiers=tiers,
        meters=meters,
        least={meter: entry["quantity"] for entry in about for meter in entry["meters"]},
        percent=percent,
        known=frozenset(known | pinned),
        pinned=frozenset(changing | pinned),
        missing=tuple(key for key in needed if key not in asked.context),
        from_us=from_us,
        until_us=until_us,
    )


def _rates_of(asked: Priced) -> Iterator[Mapping[str, Any]]:
    """The entries with rates for a context; entries without a context do not apply to variants."""
    for entry in _DATA["rates"]:
        context = entry.get("context")
        if asked.is_of(entry) and (asked.has(context) if context else not asked.is_variant):
            yield entry


def _multiplied(asked: Priced) -> tuple[Decimal | None, set[str], set[str]]:
    """The combined percentage of contexts, their keys, and those that change something.

    The first entry for a key decides; one without a percentage means that the price is unknown.
    """
    percent: Decimal | None = None
    known: set[str] = set()
    changing: set[str] = set()
    decided: set[str] = set()
    for entry in _DATA["multiplier"]:
        context = entry["context"]
        if context.keys() & decided or not asked.is_of(entry) or not asked.has(context):
            continue
        decided |= context.keys()
        if "percent" not in entry:
            continue
        known |= context.keys()
        factor = Decimal(entry["percent"])
        if factor != 100:
            percent = factor if percent is None else percent * factor / 100
            changing |= context.keys()
    return percent, known, changing


def _span_of(entry: Mapping[str, Any]) -> tuple[int, int]:
    since, before = entry.get("from"), entry.get("until")
    return (
        -FOREVER_US if since is None else _start_us(since),
        FOREVER_US if before is None else _start_us(before),
    )


def _start_us(day: date) -> int:
    return to_us(datetime.combine(day, time(), UTC))


def _decimals(entry: Mapping[str, Any], names: tuple[str, ...] | None = None) -> Prices:
    return {name: Decimal(entry[name]) for name in names or entry if name in entry}


def _tiers_of(entry: Mapping[str, Any]) -> tuple[tuple[int, Prices], ...]:
    tiers = ((tier["above"], _decimals(tier, PRICES)) for tier in entry.get("tier", ()))
    return tuple(sorted(tiers))


def is_unlisted(provider: str, name: str) -> bool:
    """Whether the list would wrongly match a name to one of its models."""
    return any(
        entry["provider"] == provider and any(fnmatchcase(name, made) for made in entry["names"])
        for entry in _DATA["unlisted"]
    )


def is_resold(provider: str, maker: str, model: str) -> bool:
    """Whether a provider resells a model at its maker's price."""
    asked = Priced(provider, maker, model, 0, {}, is_variant=False)
    return not any(asked.is_of(entry) for entry in _DATA["not_resold"])


class Day(NamedTuple):
    """A day in a provider's time zone, as a half-open range."""

    start: datetime
    end: datetime
    is_off_peak: bool
    """Whether it has no peak hours."""


def day_at(provider: str, instant: datetime) -> Day | None:
    """The day around an instant, for a provider whose peak hours depend on it."""
    for entry in _DATA["off_peak_days"]:
        if entry["provider"] == provider:
            zone = ZoneInfo(entry["timezone"])
            day = instant.astimezone(zone).date()
            if day + timedelta(days=1) < entry["from"]:
                continue
            start, end = (
                datetime.combine(edge, time(), zone) for edge in (day, day + timedelta(days=1))
            )
            return Day(start, end, day >= entry["from"] and day.weekday() in entry["weekdays"])
    return None

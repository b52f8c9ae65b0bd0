"""Our own dated price data, above the list: `data/own_prices.toml`, each entry with its source."""

import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from outlay.kit.clock import FOREVER_US, to_us
from outlay.pricing.rates import NO_METERS, TOKEN_PRICES

_TEXT: Final = (files("outlay.pricing") / "data" / "own_prices.toml").read_bytes()
_DATA: Final[Mapping[str, Any]] = tomllib.loads(_TEXT.decode())

OWN_DATA: Final = sha256(_TEXT).hexdigest()[:8]
"""Which version of it takes part in a price."""


class Correction(NamedTuple):
    """Rates that stand in place of the list's, by the names of `rates.TOKEN_PRICES`."""

    provider: str
    model: str
    from_us: int
    until_us: int
    prices: Mapping[str, Decimal]


def _corrections() -> tuple[Correction, ...]:
    return tuple(
        Correction(
            entry["provider"],
            entry["model"],
            _start_us(entry["from"]) if "from" in entry else -FOREVER_US,
            _start_us(entry["until"]) if "until" in entry else FOREVER_US,
            {name: Decimal(entry[name]) for name in TOKEN_PRICES if name in entry},
        )
        for entry in _DATA["rates"]
    )


def _start_us(day: date) -> int:
    return to_us(datetime.combine(day, time(), UTC))


_CORRECTIONS: Final = _corrections()


def find_corrections(
    provider: str, model: str, at_us: int
) -> tuple[Mapping[str, Decimal], int, int]:
    """The rates that stand in place of the list's at an instant, and the span of this answer."""
    since_us, before_us = -FOREVER_US, FOREVER_US
    for entry in _CORRECTIONS:
        if (entry.provider, entry.model) != (provider, model):
            continue
        if entry.from_us <= at_us < entry.until_us:
            return entry.prices, entry.from_us, entry.until_us
        if entry.until_us <= at_us:
            since_us = max(since_us, entry.until_us)
        else:
            before_us = min(before_us, entry.from_us)
    return NO_METERS, since_us, before_us


def find_multiplier(provider: str, context: Mapping[str, str]) -> tuple[Decimal | None, set[str]]:
    """The percentage of all rates that a context costs, and the keys of it that say so."""
    for entry in _DATA["multiplier"]:
        if entry["provider"] == provider and entry["context"].items() <= context.items():
            return Decimal(entry["percent"]), set(entry["context"])
    return None, set()


class Day(NamedTuple):
    """A day by a provider's calendar, half-open."""

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

"""Our own dated price data, above the list: `data/own_prices.toml`, each entry with its source."""

import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from outlay.kit.clock import FOREVER_US, to_us
from outlay.pricing.rates import TOKEN_PRICES

_DATA: Final[Mapping[str, Any]] = tomllib.loads(
    (files("outlay.pricing") / "data" / "own_prices.toml").read_text(encoding="utf-8")
)


class Correction(NamedTuple):
    """Rates that stand in place of the list's, by the names of `rates.TOKEN_PRICES`."""

    provider: str
    model: str
    until_us: int
    prices: Mapping[str, Decimal]


def _corrections() -> tuple[Correction, ...]:
    return tuple(
        Correction(
            entry["provider"],
            entry["model"],
            _start_us(entry["until"]) if "until" in entry else FOREVER_US,
            {name: Decimal(entry[name]) for name in TOKEN_PRICES if name in entry},
        )
        for entry in _DATA["rates"]
    )


def _start_us(day: date) -> int:
    return to_us(datetime.combine(day, time(), UTC))


_CORRECTIONS: Final = _corrections()


def find_corrections(provider: str, model: str, at_us: int) -> tuple[Mapping[str, Decimal], int]:
    """The rates to be put in place of the list's at an instant, and until when that holds."""
    for entry in _CORRECTIONS:
        if (entry.provider, entry.model) == (provider, model) and at_us < entry.until_us:
            return entry.prices, entry.until_us
    return {}, FOREVER_US


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

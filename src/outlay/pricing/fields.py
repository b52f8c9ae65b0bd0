"""Reading the fields of a user-written table and collecting all errors."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from typing_extensions import override

from outlay.domain.currency import CURRENCIES
from outlay.kit.clock import FOREVER_US, to_us

MAX_PRICE: Final = Decimal(100_000)
"""USD per million tokens, or per request; more is probably a wrong unit."""
MAX_AMOUNT: Final = Decimal(10**10)
"""In another currency, before conversion."""
MAX_DECIMALS: Final = 12


_PREDICATES: Final = ("Must ", "Is ", "Cannot ")
"""Beginnings of messages whose subject is the key."""


class Fault(NamedTuple):
    """An error in a table."""

    place: str
    """The table: `price 2`."""
    key: str
    """Empty if the table itself is wrong."""
    message: str
    """What is wrong and how to fix it, as a sentence."""

    @override
    def __str__(self) -> str:
        return f"{self.place}{self.key and ', '}{self.key}: {self.message}"

    @property
    def sentence(self) -> str:
        """The error without its place, for an entry that stands alone."""
        if self.message.startswith(_PREDICATES):
            return f"`{self.key}` {self.message[0].lower()}{self.message[1:]}"
        return f"`{self.key}`: {self.message}"


class FieldReader:
    """Reads the fields of one table and collects errors."""

    def __init__(self, place: str, entry: Mapping[str, Any], faults: list[Fault]) -> None:
        self._place = place
        self._entry = entry
        self._faults = faults
        self._known_faults = len(faults)

    @property
    def is_faulty(self) -> bool:
        """Whether any error was found so far."""
        return len(self._faults) > self._known_faults

    def fault(self, key: str, message: str) -> None:
        """Record an error of a field."""
        self._faults.append(Fault(self._place, key, message))

    def check_keys(self, table: Mapping[str, Any], known: Sequence[str], prefix: str = "") -> None:
        """Record an error for every unknown field."""
        for key in table:
            if key not in known:
                self.fault(f"{prefix}{key}", f"Unknown key. Available: {', '.join(known)}.")

    def text(self, key: str, example: str) -> str:
        """A name in lower case; empty after an error."""
        value = self._entry.get(key)
        if not isinstance(value, str) or not value.strip():
            self.fault(key, f'Must be text such as "{example}".')
            return ""
        return value.strip().lower()

    def instant(self, key: str, default: int) -> int:
        """The start of a day, UTC."""
        value = self._entry.get(key)
        if value is None:
            return default
        if not isinstance(value, date) or isinstance(value, datetime):
            self.fault(key, "Must be a date (UTC) such as 2026-10-01, without time or quotes.")
            return default
        return to_us(datetime(value.year, value.month, value.day, tzinfo=UTC))

    def table(self, key: str, example: str) -> Mapping[str, Any]:
        """A table; empty after an error."""
        table = self._entry.get(key, {})
        if not isinstance(table, dict):
            self.fault(key, f"Must be a table such as {example}.")
            return {}
        return table

    def currency(self, default: str) -> str:
        """A currency code; the default after an error or if it is missing."""
        value = self._entry.get("currency", default)
        code = value.strip().upper() if isinstance(value, str) else value
        if code in CURRENCIES:
            return str(code)
        self.fault("currency", f"{value!r} is not an ISO 4217 currency code such as EUR.")
        return default

    def number(
        self, key: str, value: object, unit: str, most: Decimal, least: Decimal = Decimal(0)
    ) -> Decimal:
        """An exact number from `least` to `most`; 0 after an error."""
        said = f"{unit} " if unit else ""
        zero = Decimal(0)
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            self.fault(key, f'Must be {said}such as "4.25".'.replace("  ", " "))
            return zero
        try:
            number = Decimal(value)
        except InvalidOperation:
            self.fault(key, f'{value!r} is not a number. Write {said}such as "4.25".')
            return zero
        if not number.is_finite() or not least <= number <= most:
            ends = f"between {least:f} and {most:,}"
            self.fault(key, f"Must be {ends}{f' {unit}' if unit else ''}, not {value}.")
            return zero
        if number != round(number, MAX_DECIMALS):
            self.fault(key, f"{value} has more than {MAX_DECIMALS} decimal places. Round it.")
            return zero
        return number


def day_of(at_us: int) -> str:
    """The day of an instant, for messages."""
    if abs(at_us) >= FOREVER_US:
        return "ever"
    return f"{datetime.fromtimestamp(at_us / 1_000_000, UTC):%Y-%m-%d}"

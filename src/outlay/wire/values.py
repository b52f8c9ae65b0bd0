"""Lenient parsing of numbers, times and money from other systems."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from outlay.domain.latency import MAX_DURATION_US
from outlay.domain.money import MAX_PUSD
from outlay.kit.clock import to_us

_PICO: Final = Decimal("1e-12")
_SECONDS_BELOW: Final = 10**11
"""A smaller number is seconds since the epoch, a larger one milliseconds or finer."""


def money_of(value: object) -> Decimal | None:
    """An amount of money, which may be a float or negative; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        text = str(value).strip().replace(",", "")
        is_credit = text.startswith("(") and text.endswith(")")
        amount = Decimal(text.strip("()").replace("$", "", 1))
    except InvalidOperation:
        return None
    if not amount.is_finite() or abs(amount) > MAX_PUSD:
        return None
    return -amount if is_credit else amount


def pusd_of(value: object) -> int | None:
    """Pico-USD of an amount of dollars, which may be a float: rounded half to even.

    None for anything that is not an amount an event can have.
    """
    amount = money_of(value)
    if amount is None:
        return None
    try:
        pusd = int(amount.quantize(_PICO, ROUND_HALF_EVEN).scaleb(12))
    except InvalidOperation:
        return None
    return pusd if 0 <= pusd <= MAX_PUSD else None


def time_us_of(value: object) -> int | None:
    """Microseconds since the epoch; None for anything else.

    A number is seconds, milliseconds, microseconds or nanoseconds by its size; text is a number or
    ISO 8601, in UTC if it has no offset.
    """
    if isinstance(value, str):
        return _time_us_of_text(value.strip())
    if isinstance(value, datetime):
        return to_us(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite() or not 0 < number < 10**20:
        return None
    while number >= _SECONDS_BELOW:
        number /= 1000
    return round(number * 10**6)


def _time_us_of_text(text: str) -> int | None:
    try:
        return time_us_of(Decimal(text))
    except InvalidOperation:
        pass
    if text.endswith(" UTC"):
        text = text.removesuffix(" UTC") + "+00:00"
    try:
        return time_us_of(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def elapsed_us(start_us: int | None, end_us: int | None) -> int | None:
    """The time between two instants; None if one is missing or they are out of order."""
    if start_us is None or end_us is None or not 0 <= end_us - start_us <= MAX_DURATION_US:
        return None
    return end_us - start_us


def is_streamed(is_stream: bool | None, first_token_us: int | None) -> bool:
    """Whether an answer was streamed; if unknown, a time to first token implies that it was."""
    return first_token_us is not None if is_stream is None else is_stream


def first_of(fields: Mapping[str, Any], *names: str) -> Any:
    """The first value that is present and not empty, None if there is none."""
    for name in names:
        value = fields.get(name)
        if value is not None and value != "":
            return value
    return None


def opened(value: Any) -> Any:
    """A value, parsed if it is text: None for text that is not JSON."""
    if isinstance(value, str):
        try:
            return msgspec.json.decode(value)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return _lenient(value)
    return value


def _lenient(text: str) -> Any:
    """JSON as Python writes it, with NaN and Infinity; None for text that is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def object_in(value: Any) -> Mapping[str, Any]:
    """An object, or the object in a JSON text; empty for anything else."""
    found = opened(value)
    return found if isinstance(found, dict) else {}

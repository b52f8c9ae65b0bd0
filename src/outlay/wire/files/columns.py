"""Values of a row by column name."""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.wire.files.mapping import Columns
from outlay.wire.values import opened

Row = Mapping[str, Any]
"""A row: values by column, nested as in the file."""
Getter = Callable[[Row], Any]


def getter(columns: Columns) -> Getter:
    """A function that returns the first non-empty value of some columns; None if all are empty."""
    paths = [columns] if isinstance(columns, str) else columns
    if len(paths) == 1:
        return _getter(paths[0])
    getters = [_getter(path) for path in paths]

    def first(row: Row) -> Any:
        for get in getters:
            value = get(row)
            if value is not None:
                return value
        return None

    return first


def _getter(path: str) -> Getter:
    head, dot, rest = path.partition(".")
    parts = rest.split(".")

    def plain(row: Row) -> Any:
        value = row.get(path)
        return None if value == "" else value

    def nested(row: Row) -> Any:
        if path in row:
            return plain(row)
        value = row.get(head)
        for part in parts:
            value = opened(value)
            if not isinstance(value, dict):
                return None
            value = value.get(part)
        return None if value == "" else value

    return nested if dot else plain


def list_in(value: Any) -> list[Any]:
    """A value as a list: a list, JSON of one, or comma-separated words."""
    if isinstance(value, str):
        found = opened(value) if value.lstrip().startswith("[") else None
        return found if isinstance(found, list) else value.split(",")
    return value if isinstance(value, list) else []


def whole_number(value: Any, name: str) -> int:
    """A count, written as 1200, 1,200 or 1200.0; raises Invalid for anything else."""
    if type(value) is int:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, str | float | Decimal) and not isinstance(value, bool):
        try:
            number = Decimal(str(value).replace(",", ""))
            if number.is_finite() and number == number.to_integral_value():
                return int(number)
        except (InvalidOperation, ValueError, OverflowError):
            pass
    raise wrong(name, "a whole number", value)


def real_number(value: Any, name: str) -> Decimal:
    """A finite number; raises Invalid for anything else."""
    try:
        number = Decimal(str(value).replace(",", ""))
    except InvalidOperation as error:
        raise wrong(name, "a number", value) from error
    if not number.is_finite():
        raise wrong(name, "a number", value)
    return number


def is_true(value: Any) -> bool:
    """Whether a value means true."""
    return value is True or str(value).strip().lower() in {"true", "t", "yes", "1"}


def wrong(name: str, expected: str, value: Any) -> Invalid:
    """The error for a value; `name` is the field as shown in messages, `expected` a noun."""
    shown = repr(value)
    return Invalid(
        f"{name} must be {expected}, not {shown if len(shown) <= 60 else shown[:57] + '...'}.",
        code=ErrorCode.MALFORMED_ROW,
        field=name,
    )

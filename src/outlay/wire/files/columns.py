"""Values of a row by the names of a mapping."""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.wire.files.mapping import Columns
from outlay.wire.values import opened

Row = Mapping[str, Any]
"""A row: values by column, nested where the file is."""
Getter = Callable[[Row], Any]


def getter(columns: Columns) -> Getter:
    """What takes the first value of some columns that is not empty; None where all are."""
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
    """A value that is a list, JSON of one, or words with commas between."""
    if isinstance(value, str):
        found = opened(value) if value.lstrip().startswith("[") else None
        return found if isinstance(found, list) else value.split(",")
    return value if isinstance(value, list) else []


def whole_number(value: Any, name: str) -> int:
    """A count, which may be written as 1200, 1,200 or 1200.0; Invalid for anything else."""
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
    raise wrong(name, "expected a whole number", value)


def real_number(value: Any, name: str) -> Decimal:
    """A finite number; Invalid for anything else."""
    try:
        number = Decimal(str(value).replace(",", ""))
    except InvalidOperation as error:
        raise wrong(name, "expected a number", value) from error
    if not number.is_finite():
        raise wrong(name, "expected a number", value)
    return number


def is_true(value: Any) -> bool:
    """Whether a value says yes."""
    return value is True or str(value).strip().lower() in {"true", "t", "yes", "1"}


def wrong(name: str, expected: str, value: Any) -> Invalid:
    """What is wrong with a value."""
    shown = repr(value)
    return Invalid(
        f"{name}: {expected}, found {shown if len(shown) <= 60 else shown[:57] + '...'}",
        code=ErrorCode.MALFORMED_ROW,
        field=name,
    )

"""Reading single parameters of query strings. Errors name the parameter and say what is wrong."""

import re
from collections.abc import Collection
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar

from starlette.datastructures import QueryParams

from outlay.domain.dimension import Dimension, Grouping
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.money import AMOUNT_PATTERN, parse_usd
from outlay.domain.period import Interval
from outlay.domain.tag import PREFIX, Tag

ANY_TAG: Final = "tag:key"
"""Stands for all filters by registered tags, `tag:team=search`."""

_Choice = TypeVar("_Choice", bound=StrEnum)


def check_names(
    params: QueryParams, allowed: Collection[str], once: frozenset[str] = frozenset()
) -> None:
    """Raise Invalid for unknown parameters: a misspelt filter must not widen an answer.

    Those in `once` may not be repeated, either.
    """
    for name in params:
        if name not in allowed and not (name.startswith(PREFIX) and ANY_TAG in allowed):
            raise Invalid(
                f"Unknown parameter {name!r}. Available: {', '.join(sorted(allowed))}.",
                code=ErrorCode.UNKNOWN_PARAMETER,
                field=name,
            )
    for name in once:
        read_text(params, name)


def read_text(params: QueryParams, name: str) -> str | None:
    """A parameter that may be given once; None if it is missing or empty."""
    values = params.getlist(name)
    if len(values) > 1:
        raise Invalid(f"`{name}` can be given only once.", field=name)
    return values[0] if values and values[0] else None


def read_word(params: QueryParams, name: str, words: Collection[str]) -> str | None:
    """One of several words."""
    text = read_text(params, name)
    if text is not None and text not in words:
        raise Invalid(f"`{name}` must be {' or '.join(words)}.", field=name)
    return text


def read_choice(
    params: QueryParams, name: str, kind: type[_Choice], code: ErrorCode
) -> _Choice | None:
    """One of the values of an enumeration; raises Invalid with the code, listing them."""
    text = read_text(params, name)
    return None if text is None else parse_choice(text, name, kind, code)


def read_choices(
    params: QueryParams, name: str, kind: type[_Choice], code: ErrorCode
) -> tuple[_Choice, ...]:
    """Values of an enumeration, without repetitions; raises Invalid with the code, listing the
    allowed values."""
    return tuple(
        parse_choice(text, name, kind, code) for text in dict.fromkeys(params.getlist(name)) if text
    )


def parse_choice(text: str, name: str, kind: type[_Choice], code: ErrorCode) -> _Choice:
    """A text as a value of an enumeration; raises Invalid with the code, listing the allowed
    values."""
    try:
        return kind(text)
    except ValueError as error:
        choices = ", ".join(item.value for item in kind if item.value != Interval.TOTAL)
        raise Invalid(
            f"`{name}` must be one of {choices}, not {text[:40]!r}.",
            code=code,
            field=name,
        ) from error


def read_flag(params: QueryParams, name: str) -> bool | None:
    """True or false; None if it is not given."""
    text = read_text(params, name)
    if text not in {None, "true", "false"}:
        raise Invalid(f"`{name}` must be true or false.", field=name)
    return None if text is None else text == "true"


def read_number(
    params: QueryParams, name: str, default: int | None, *, least: int = 1, most: int
) -> int | None:
    """A whole number; raises Invalid if it is not one, or out of range."""
    text = read_text(params, name)
    if text is None:
        return default
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
    if not is_number or not least <= int(text) <= most:
        raise Invalid(f"`{name}` must be a whole number between {least} and {most:,}.", field=name)
    return int(text)


def read_usd(params: QueryParams, name: str) -> int | None:
    """An amount of USD in pico-USD."""
    text = read_text(params, name)
    if text is None:
        return None
    if not re.fullmatch(AMOUNT_PATTERN, text):
        raise Invalid(f"`{name}` must be an amount in USD, such as 0.25.", field=name)
    return parse_usd(Decimal(text))


def read_date(params: QueryParams, name: str) -> date | None:
    """A day in the form `2026-11-20` only."""
    text = read_text(params, name)
    if text is None:
        return None
    try:
        parsed = date.fromisoformat(text)
    except ValueError as error:
        raise _bad_date(name, text) from error
    if parsed.isoformat() != text:
        raise _bad_date(name, text)
    return parsed


def _bad_date(name: str, text: str) -> Invalid:
    return Invalid(
        f"`{name}` must be a date such as 2026-11-20, not {text[:40]!r}.",
        code=ErrorCode.INVALID_DATE,
        field=name,
    )


def read_groupings(params: QueryParams, name: str = "groupBy") -> tuple[Grouping, ...]:
    """Dimensions, separated by commas; empty if the parameter is not given."""
    text = read_text(params, name)
    return tuple(_grouping(part, name) for part in (text or "").split(",") if text)


def _grouping(text: str, name: str) -> Grouping:
    if text.startswith(PREFIX):
        return Tag(text.removeprefix(PREFIX))
    return parse_choice(text, name, Dimension, ErrorCode.UNKNOWN_GROUP_BY)


def read_dimension(
    params: QueryParams, offered: Collection[Dimension], default: Dimension
) -> Dimension:
    """The one dimension of `groupBy`, which must be among those offered."""
    dimensions = read_groupings(params) or (default,)
    for dimension in offered:
        if dimensions == (dimension,):
            return dimension
    raise Invalid(f"`groupBy` must be one of {', '.join(offered)} here.", field="groupBy")

"""JSON with money: as exact decimal numbers in USD, or as text with the same digits.

Readers that use binary floating point (JavaScript, pandas) keep about 16 digits of a number; text
keeps all of them.
"""

from enum import StrEnum
from typing import Final

import orjson

from outlay.domain.money import render_usd


class MoneyStyle(StrEnum):
    """How amounts are written in JSON; the value is that of the parameter `money`."""

    NUMBER = "number"
    TEXT = "text"


class Money:
    """An amount in a JSON answer; its style is chosen when the answer is written."""

    __slots__ = ("pusd",)

    def __init__(self, pusd: int) -> None:
        self.pusd = pusd


def dump_json(
    value: object, style: MoneyStyle = MoneyStyle.NUMBER, option: int | None = None
) -> bytes:
    """Serialise a value with its amounts in one style; `option` is passed to orjson."""
    return orjson.dumps(value, default=_RENDERERS[style], option=option)


def _as_number(value: object) -> orjson.Fragment:
    return orjson.Fragment(_as_text(value))


def _as_text(value: object) -> str:
    if not isinstance(value, Money):
        raise TypeError(f"{type(value).__name__} has no form in JSON")
    return render_usd(value.pusd)


_RENDERERS: Final = {MoneyStyle.NUMBER: _as_number, MoneyStyle.TEXT: _as_text}

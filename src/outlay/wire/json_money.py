"""JSON with money: as exact decimal numbers in USD, or as text with the same digits.

Readers that use binary floating point (JavaScript, pandas) keep about 16 digits of a number; text
keeps all of them.
"""

from enum import StrEnum
from typing import Final

import msgspec

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


def dump_json(value: object, style: MoneyStyle = MoneyStyle.NUMBER) -> bytes:
    """A value as JSON, its amounts in one style."""
    return _ENCODERS[style].encode(value)


def _as_number(value: object) -> object:
    text = _as_text(value)
    return msgspec.Raw(text.encode()) if isinstance(value, Money) else text


def _as_text(value: object) -> str:
    if isinstance(value, Money):
        return render_usd(value.pusd)
    if isinstance(value, str):  # of a subclass, which the encoder does not know
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


_ENCODERS: Final = {
    MoneyStyle.NUMBER: msgspec.json.Encoder(enc_hook=_as_number),
    MoneyStyle.TEXT: msgspec.json.Encoder(enc_hook=_as_text),
}

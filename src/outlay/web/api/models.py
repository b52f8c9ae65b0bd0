"""Shared parts of the bodies and answers of directory endpoints."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Strict,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from outlay.domain.money import AMOUNT_PATTERN, read_amount
from outlay.kit.clock import from_us


class Body(BaseModel):
    """A request body: camelCase, unknown fields are refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=False, extra="forbid")


class Answer(BaseModel):
    """An answer: camelCase."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


def _parse_instant(value: object) -> datetime:
    """Raises ValueError unless `value` is a date and time with an offset (RFC 3339)."""
    if not isinstance(value, str) or len(value) > 40:
        raise ValueError("Use a date and time with an offset, such as 2026-11-21T09:00:00Z.")
    try:
        instant = datetime.fromisoformat(value)
        return from_us(0) + (instant - from_us(0))
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(
            "Use a date and time with an offset, such as 2026-11-21T09:00:00Z."
        ) from error


Instant = Annotated[
    datetime,
    BeforeValidator(_parse_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="validation"),
]
"""An instant as sent in JSON, in UTC."""


def _check_amount(text: str) -> str:
    """Raises ValueError unless it is an amount."""
    read_amount(text)
    return text


Amount = Annotated[
    str,
    AfterValidator(_check_amount),
    WithJsonSchema({"type": "string", "pattern": f"^{AMOUNT_PATTERN}$"}, mode="validation"),
]
"""An amount of USD as text, so that it is exact."""

Flag = Annotated[bool, Strict()]
"""True or false; words are not accepted."""


def render_us(us: int | None) -> str | None:
    """An instant in microseconds since the epoch as RFC 3339; None for None."""
    return None if us is None else from_us(us).isoformat().replace("+00:00", "Z")


def given(body: BaseModel) -> Mapping[str, Any]:
    """The fields of a body that were sent, by their Python names."""
    return {name: getattr(body, name) for name in body.model_fields_set}

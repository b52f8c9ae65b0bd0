"""Errors of bodies and parameters are sentences; no pattern is ever shown to users."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, StringConstraints, ValidationError

from outlay.domain.money import AMOUNT_PATTERN
from outlay.web.api.models import Amount
from outlay.web.app import API_ROUTERS
from outlay.web.http.faults import DAY, FORMS, PRICE, describe_fault


class Sample(BaseModel):
    """A field of each kind."""

    model_config = {"extra": "forbid"}
    amount: Amount = "1"
    price: Annotated[str, StringConstraints(pattern=PRICE.pattern)] = "1"
    day: Annotated[str, StringConstraints(pattern=DAY.pattern)] = "2026-11-21"
    name: Annotated[str, StringConstraints(min_length=1, max_length=3)] = "a"
    above: Annotated[int, Field(strict=True, gt=0, le=1_000)] = 1
    unit: Literal["day", "month"] = "day"
    needed: str


@pytest.mark.parametrize("amount", ["-5", "abc", "10,5", "1e3", "", "12345678", "1."])
def test_invalid_amount_error_has_an_example(amount: str) -> None:
    (said,) = faults(needed="", amount=amount)
    assert said == "Enter an amount in USD such as 250 or 0.50."


def test_every_error_is_a_sentence() -> None:
    bad: list[dict[str, Any]] = [
        {"price": "x"},
        {"day": "tomorrow"},
        {"name": ""},
        {"name": "four"},
        {"name": None},
        {"above": "1"},
        {"above": 0},
        {"above": 5_000},
        {"unit": "year"},
        {"other": 1},
    ]
    said = [*faults(), *(text for one in bad for text in faults(needed="", **one))]
    assert said[0] == "`needed` is required."
    assert "`unit` must be one of day or month." in said
    assert "`above` must be at most 1,000." in said
    for text in said:
        assert re.fullmatch(r"`[a-z]+` (is|must) [^{}\[\]^$\\]*\.", text), text


def test_every_body_pattern_has_a_message() -> None:
    found = {pattern for model in bodies() for pattern in patterns(model.model_json_schema())}
    assert found
    assert found - {f"^{AMOUNT_PATTERN}$"} <= FORMS.keys()


def faults(**values: Any) -> list[str]:
    """The error messages for values of the sample."""
    with pytest.raises(ValidationError) as caught:
        Sample(**values)
    return [
        describe_fault(dict(error), ".".join(map(str, error["loc"])))
        for error in caught.value.errors()
    ]


def bodies() -> Iterator[type[BaseModel]]:
    """The bodies that routes of the API read."""
    for router in API_ROUTERS:
        for route in router.routes:
            field = getattr(route, "body_field", None)
            kind = field and field.field_info.annotation
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield kind


def patterns(schema: Any) -> Iterator[str]:
    """Patterns anywhere in a schema."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from patterns(part)

"""Errors in a body or parameter, as sentences that say how to fix them."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple


class Form(NamedTuple):
    """The required form of a text: as a pattern, and in words that follow the name of the field."""

    pattern: str
    wanted: str


PRICE: Final = Form(
    r"^[0-9]{1,10}(\.[0-9]{1,12})?$",
    "must be an amount such as 4.25, with up to 12 decimal places.",
)
DAY: Final = Form(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "must be a date such as 2026-11-21.")

FORMS: Final[Mapping[str, Form]] = {form.pattern: form for form in (PRICE, DAY)}
"""Every pattern that a field of the API has; a test checks that none is missing."""

NEEDED: Final = "is required."

_SENTENCES: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "missing": lambda _: NEEDED,
    "extra_forbidden": lambda _: "is unknown.",
    "string_pattern_mismatch": lambda of: FORMS[of["pattern"]].wanted,
    "string_too_short": lambda of: (
        NEEDED if of["min_length"] == 1 else f"must have at least {of['min_length']} characters."
    ),
    "string_too_long": lambda of: f"must have at most {of['max_length']:,} characters.",
    "string_type": lambda _: "must be text.",
    "int_type": lambda _: "must be a whole number.",
    "int_parsing": lambda _: "must be a whole number.",
    "int_from_float": lambda _: "must be a whole number.",
    "bool_type": lambda _: "must be true or false.",
    "list_type": lambda _: "must be a list.",
    "dict_type": lambda _: "must be an object.",
    "model_attributes_type": lambda _: "must be an object.",
    "model_type": lambda _: "must be an object.",
    "date_type": lambda _: DAY.wanted,
    "date_parsing": lambda _: DAY.wanted,
    "date_from_datetime_parsing": lambda _: DAY.wanted,
    "json_invalid": lambda _: "must be valid JSON.",
    "too_long": lambda of: f"must have at most {of['max_length']:,} items.",
    "too_short": lambda of: f"must have at least {of['min_length']:,} items.",
    "enum": lambda of: f"must be one of {_unquoted(of)}.",
    "literal_error": lambda of: f"must be one of {_unquoted(of)}.",
    "greater_than": lambda of: f"must be greater than {of['gt']:,}.",
    "greater_than_equal": lambda of: f"must be at least {of['ge']:,}.",
    "less_than": lambda of: f"must be less than {of['lt']:,}.",
    "less_than_equal": lambda of: f"must be at most {of['le']:,}.",
}


def describe_fault(fault: Mapping[str, Any], name: str) -> str:
    """The sentence for an error found by Pydantic; an empty name means the whole body."""
    said = str(fault["msg"]).removeprefix("Value error, ").removesuffix(".")
    if fault["type"] == "value_error":  # Outlay's own validators write whole sentences
        return f"{said[:1].upper()}{said[1:]}."
    subject = f"`{name}`" if name else "The body"
    sentence = _SENTENCES.get(fault["type"])
    if sentence is not None:
        return f"{subject} {sentence(fault.get('ctx', {}))}"
    return f"{subject} is invalid: {said[:1].lower()}{said[1:]}."


def _unquoted(of: Mapping[str, Any]) -> str:
    return str(of["expected"]).replace("'", "")

"""Errors in a body or parameter, as sentences that say how to fix them."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple


class Form(NamedTuple):
    """The required form of a text: as a pattern, and in words."""

    pattern: str
    wanted: str


PRICE: Final = Form(
    r"^[0-9]{1,10}(\.[0-9]{1,12})?$",
    "Must be an amount such as 4.25, with up to 12 decimal places.",
)
DAY: Final = Form(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "Must be a date such as 2026-11-21.")

FORMS: Final[Mapping[str, Form]] = {form.pattern: form for form in (PRICE, DAY)}
"""Every pattern that a field of the API has; a test checks that none is missing."""

NEEDED: Final = "This field is required."

_SENTENCES: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "missing": lambda _: NEEDED,
    "extra_forbidden": lambda _: "This field is unknown.",
    "string_pattern_mismatch": lambda of: FORMS[of["pattern"]].wanted,
    "string_too_short": lambda of: (
        NEEDED if of["min_length"] == 1 else f"Must have at least {of['min_length']} characters."
    ),
    "string_too_long": lambda of: f"Must have at most {of['max_length']:,} characters.",
    "string_type": lambda _: "Must be text.",
    "int_type": lambda _: "Must be a whole number.",
    "int_parsing": lambda _: "Must be a whole number.",
    "int_from_float": lambda _: "Must be a whole number.",
    "bool_type": lambda _: "Must be true or false.",
    "list_type": lambda _: "Must be a list.",
    "dict_type": lambda _: "Must be an object.",
    "too_long": lambda of: f"Must have at most {of['max_length']:,} items.",
    "too_short": lambda of: f"Must have at least {of['min_length']:,} items.",
    "enum": lambda of: f"Must be one of {_unquoted(of)}.",
    "literal_error": lambda of: f"Must be one of {_unquoted(of)}.",
    "greater_than": lambda of: f"Must be greater than {of['gt']:,}.",
    "greater_than_equal": lambda of: f"Must be at least {of['ge']:,}.",
    "less_than": lambda of: f"Must be less than {of['lt']:,}.",
    "less_than_equal": lambda of: f"Must be at most {of['le']:,}.",
}


def describe_fault(fault: Mapping[str, Any]) -> str:
    """The sentence for an error found by Pydantic."""
    sentence = _SENTENCES.get(fault["type"])
    if sentence is not None:
        return sentence(fault.get("ctx", {}))
    said = str(fault["msg"]).removeprefix("Value error, ")
    return f"{said[:1].upper()}{said[1:].removesuffix('.')}."


def _unquoted(of: Mapping[str, Any]) -> str:
    return str(of["expected"]).replace("'", "")

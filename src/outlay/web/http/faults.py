"""What is wrong with a body or parameter, as a sentence that says how to mend it."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple


class Form(NamedTuple):
    """What a text must look like: for programs, and for people."""

    pattern: str
    wanted: str


PRICE: Final = Form(
    r"^[0-9]{1,10}(\.[0-9]{1,12})?$",
    "Give an amount such as 4.25: digits and a point, up to 12 of them behind it.",
)
DAY: Final = Form(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "Give a date such as 2026-11-21.")

FORMS: Final[Mapping[str, Form]] = {form.pattern: form for form in (PRICE, DAY)}
"""Every pattern that a field of the API has; the tests look for others."""

NEEDED: Final = "This field is required."

_SENTENCES: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "missing": lambda _: NEEDED,
    "extra_forbidden": lambda _: "There is no such field.",
    "string_pattern_mismatch": lambda of: FORMS[of["pattern"]].wanted,
    "string_too_short": lambda of: (
        NEEDED if of["min_length"] == 1 else f"Give at least {of['min_length']} characters."
    ),
    "string_too_long": lambda of: f"Give at most {of['max_length']:,} characters.",
    "string_type": lambda _: "Give a text.",
    "int_type": lambda _: "Give a whole number.",
    "int_parsing": lambda _: "Give a whole number.",
    "int_from_float": lambda _: "Give a whole number.",
    "bool_type": lambda _: "Give true or false.",
    "list_type": lambda _: "Give a list.",
    "dict_type": lambda _: "Give names and values.",
    "too_long": lambda of: f"Give at most {of['max_length']:,} of them.",
    "too_short": lambda of: f"Give at least {of['min_length']:,} of them.",
    "enum": lambda of: f"Give one of {_unquoted(of)}.",
    "literal_error": lambda of: f"Give one of {_unquoted(of)}.",
    "greater_than": lambda of: f"Give a number above {of['gt']:,}.",
    "greater_than_equal": lambda of: f"Give a number from {of['ge']:,} on.",
    "less_than": lambda of: f"Give a number below {of['lt']:,}.",
    "less_than_equal": lambda of: f"Give a number up to {of['le']:,}.",
}


def describe_fault(fault: Mapping[str, Any]) -> str:
    """What to tell about an error that Pydantic has found."""
    sentence = _SENTENCES.get(fault["type"])
    if sentence is not None:
        return sentence(fault.get("ctx", {}))
    said = str(fault["msg"]).removeprefix("Value error, ")
    return f"{said[:1].upper()}{said[1:]}"


def _unquoted(of: Mapping[str, Any]) -> str:
    return str(of["expected"]).replace("'", "")

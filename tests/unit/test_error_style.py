"""Every error message is a full sentence in one style.

The messages are read from the source: the first text of each call that creates an error. Those
that are put together from parts, about settings and about bodies and parameters, are rendered.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
from pydantic_core.core_schema import ErrorType

from outlay.domain.errors import Invalid
from outlay.settings import declared_settings, read_settings
from outlay.web.http.faults import DAY, describe_fault

SOURCE = Path(__file__).parents[2] / "src" / "outlay"
ROOT_ERROR = "OutlayError"
MORE_ERRORS = {"UpstreamFailure", "FetchFailed", "fail"}
"""Further calls whose text is shown as an error: of upstreams, of fetches, of the CLI."""

MAX_CHARACTERS = 240
"""Without the inserted values."""

START = re.compile(r"[A-Z`'\"\0]")
"""A capital letter, a quoted identifier, or a value."""
END = re.compile(r"([.]|:\0)\Z|\0\Z")
"""A period; or another message, which ends in one, or a list of lines after a colon."""
FORBIDDEN = re.compile(
    r"\b(they|their|we|us|our|ours|somebody|anybody|nobody|whoever|please|told|dear|"
    r"mend|of itself|by itself)\b|!|;.*;|\bthere are\b",
    re.IGNORECASE,
)


class Message(NamedTuple):
    """The text of one error, with NUL for each inserted value."""

    place: str
    text: str
    last_value: str
    """Source of the value at the end; empty if the text does not end in a value."""


def _trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text()) for path in sorted(SOURCE.rglob("*.py"))}


def _errors(trees: dict[Path, ast.Module]) -> set[str]:
    """The names of the error classes."""
    bases = {
        node.name: {ast.unparse(base) for base in node.bases}
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    found = {ROOT_ERROR}
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return found


def _text_of(node: ast.expr) -> tuple[str, str] | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return (node.value, "") if " " in node.value else None
    if isinstance(node, ast.JoinedStr):
        parts = [
            str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values
        ]
        last = node.values[-1]
        shown = ast.unparse(last.value) if isinstance(last, ast.FormattedValue) else ""
        return "".join(parts), shown
    return None


@cache
def messages() -> list[Message]:
    """All messages; found when they are tested, as each process of a test run reads this file."""
    return list(_messages())


def _messages() -> Iterator[Message]:
    trees = _trees()
    errors = _errors(trees) | MORE_ERRORS
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            if ast.unparse(node.func).rpartition(".")[2] not in errors:
                continue
            text = next((found for arg in node.args if (found := _text_of(arg))), None)
            if text is not None:
                yield Message(f"{path.relative_to(SOURCE)}:{node.lineno}", *text)


ENDING_VALUES = re.compile(r"(\.message|\.fault|^message|^why|^named|^listed|^WANTED)$")
"""Values that are messages themselves, and therefore end in a period."""


def fault_of(message: Message) -> str | None:
    """What is wrong with the style of a message."""
    text = message.text
    if not START.match(text):
        return "does not start with a capital letter, a quoted identifier or a value"
    if not END.search(text):
        return "does not end with a period"
    if message.last_value and not ENDING_VALUES.search(message.last_value):
        return f"ends with the value {message.last_value}, not with a period"
    if len(text) > MAX_CHARACTERS:
        return f"has {len(text)} characters"
    if found := FORBIDDEN.search(text):
        return f"has {found.group()!r}"
    return None


def test_error_messages_are_sentences() -> None:
    faults = [
        f"{message.place}: {fault}: {message.text!r}"
        for message in messages()
        if (fault := fault_of(message))
    ]
    assert not faults, "\n".join(faults)


def test_rendered_errors_of_settings_are_sentences() -> None:
    names = [declared.variable.name for declared in declared_settings()]
    faults = []
    for value in ("\x00nonsense", "-1", "1e99"):
        for name in names:
            try:
                read_settings(environment={name: value})
            except Invalid as error:
                faults.append(fault_of(Message(name, error.message, "")) and error.message)

    assert len(faults) > len(names)
    assert not any(faults), faults


def test_rendered_errors_of_bodies_and_parameters_are_sentences() -> None:
    types: set[Any] = set(get_args(ErrorType)) - {"value_error"}
    context: dict[str, Any] = defaultdict(
        lambda: 1, pattern=DAY.pattern, expected="'day' or 'month'"
    )
    for kind in types:
        for name in ("above", ""):
            fault = {"type": kind, "ctx": context, "msg": "Input should be a valid something"}
            text = describe_fault(fault, name)
            assert fault_of(Message(kind, text, "")) is None, text
            assert text.startswith("`above` " if name else "The body "), text


def test_the_source_has_error_messages() -> None:
    assert len(messages()) > 350


@pytest.mark.parametrize(
    "text",
    [
        "the token would have expired already",
        "The token is expired",
        "We cannot find it.",
        "Please sign in.",
        "Stop!",
        f"Too {'long ' * 60}.",
    ],
)
def test_other_styles_are_reported(text: str) -> None:
    assert fault_of(Message("here", text, ""))

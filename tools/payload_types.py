"""Writes the TypeScript declarations of the data that the server sends to the dashboard's scripts.

Usage: `python -m tools.payload_types`. The Python types are the source; a test fails if the
declarations differ from them.
"""

import inspect
import types
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Union, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import BaseModel

from outlay.web.api.price_preview import PreviewAnswer
from outlay.web.dashboard.choices import ChoiceList
from outlay.web.dashboard.command_palette import PaletteItems
from outlay.web.dashboard.parts.chart_data import AreaChart, LineChart

TARGET: Final = Path(__file__).parent.parent / "src/outlay/web/static/js/payloads.d.ts"

PAYLOADS: Final[Sequence[type]] = (AreaChart, LineChart, ChoiceList, PaletteItems, PreviewAnswer)

HEAD: Final = """\
// Written by `python -m tools.payload_types` from the Python types of the same names: do not edit.
"""

PRIMITIVES: Final[Mapping[object, str]] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    date: "string",
    type(None): "null",
}


def declarations() -> str:
    """The whole file."""
    found: dict[str, str] = {}
    for payload in PAYLOADS:
        _declare(payload, found)
    return HEAD + "".join(f"\n{text}" for _, text in sorted(found.items()))


def _declare(declared: type, found: dict[str, str]) -> None:
    """Add a type and the types that it refers to."""
    if declared.__name__ in found:
        return
    found[declared.__name__] = ""
    fields = [
        f"  {name}: {_render(annotation, found)};\n" for name, annotation in _fields(declared)
    ]
    summary = (inspect.getdoc(declared) or "").partition("\n")[0]
    found[declared.__name__] = (
        f"/** {summary} */\nexport interface {declared.__name__} {{\n{''.join(fields)}}}\n"
    )


def _fields(declared: type) -> Iterator[tuple[str, Any]]:
    if is_typeddict(declared):
        yield from get_type_hints(declared).items()
    elif issubclass(declared, BaseModel):
        for name, field in declared.model_fields.items():
            yield field.alias or name, field.annotation
    else:
        raise TypeError(f"{declared.__name__} is neither a TypedDict nor a pydantic model")


def _render(annotation: Any, found: dict[str, str]) -> str:
    """A type as TypeScript."""
    if annotation in PRIMITIVES:
        return PRIMITIVES[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in {Union, types.UnionType}:
        return " | ".join(_render(argument, found) for argument in arguments)
    if origin in {list, Sequence}:
        item = _render(arguments[0], found)
        return f"({item})[]" if " | " in item else f"{item}[]"
    if origin in {dict, Mapping}:
        return f"Record<string, {_render(arguments[1], found)}>"
    if issubclass(annotation, StrEnum):
        return " | ".join(f'"{member.value}"' for member in annotation)
    _declare(annotation, found)
    return str(annotation.__name__)


if __name__ == "__main__":
    TARGET.write_text(declarations())

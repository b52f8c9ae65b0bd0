"""The reference of the command line, generated from the commands themselves."""

from collections.abc import Iterator
from enum import Enum
from typing import Any

from tools.docs.markdown import code, page, table
from typer.main import get_command

from outlay.cli.main import app

ROOT = "outlay"


def commands() -> str:
    """Every command with its arguments and options."""
    return page(
        "Commands",
        "`outlay COMMAND --help` prints the same. Commands work while a server is running unless "
        "they say otherwise. [Exit codes](../operations/running.md#exit-codes).",
        *_sections(get_command(app), ROOT),
    )


def _sections(command: Any, name: str) -> Iterator[str]:
    """A command or group of the command line, and its subcommands."""
    children = getattr(command, "commands", {})
    if name != ROOT:
        yield f"{'##' if name.count(' ') == 1 else '###'} `{name}`"
        yield " ".join((command.help or "").split())
    if not children:
        yield _parameters(command)
    for child_name, child in children.items():
        if not child.hidden:
            yield from _sections(child, f"{name} {child_name}")


def _parameters(command: Any) -> str:
    shown = (each for each in command.params if each.name != "help" and not each.hidden)
    return table(["argument or option", "meaning", "values"], map(_row, shown))


def _row(parameter: Any) -> list[str]:
    names = ", ".join((*parameter.opts, *parameter.secondary_opts))
    if parameter.param_type_name == "argument":
        names = str(parameter.name).upper()
    note = "required" if parameter.required else _default_of(parameter)
    notes = filter(None, (_choices_of(parameter), note))
    return [code(names), parameter.help or "", "; ".join(notes)]


def _choices_of(parameter: Any) -> str:
    annotation = parameter.type_descriptor.annotation
    is_choice = isinstance(annotation, type) and issubclass(annotation, Enum)
    return ", ".join(code(each.value) for each in annotation) if is_choice else ""


def _default_of(parameter: Any) -> str:
    is_plain = isinstance(parameter.default, str | int) and not isinstance(parameter.default, bool)
    return f"default {code(str(parameter.default))}" if is_plain and parameter.default != "" else ""

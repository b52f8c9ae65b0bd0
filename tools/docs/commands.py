"""The reference of the command line, made from the commands themselves."""

from collections.abc import Iterator

import typer
from typer.main import get_command

from outlay.cli.main import app
from tools.docs.markdown import code, page, table

Command = typer.core.TyperCommand | typer.core.TyperGroup


def commands() -> str:
    """Every command with its arguments and options."""
    root = get_command(app)
    return page(
        "Commands",
        "`outlay COMMAND --help` prints the same. `--data` names the data directory of every "
        "command; commands work beside a running server unless they say otherwise. Exit codes: "
        "[operations](../operations/running.md#exit-codes).",
        *_sections(root, "outlay"),
    )


def _sections(command: object, name: str) -> Iterator[str]:
    children = getattr(command, "commands", {})
    if name != "outlay":
        help_text = " ".join((getattr(command, "help", "") or "").split())
        yield f"{'###' if ' ' in name.removeprefix('outlay ') else '##'} `{name}`"
        yield help_text
    if not children and name != "outlay":
        yield _parameters(command)
    for child_name, child in children.items():
        yield from _sections(child, f"{name} {child_name}")


def _parameters(command: object) -> str:
    rows = []
    for parameter in getattr(command, "params", ()):
        if parameter.name == "help" or getattr(parameter, "hidden", False):
            continue
        names = ", ".join((*parameter.opts, *parameter.secondary_opts))
        if parameter.param_type_name == "argument":
            names = str(parameter.name).upper()
        notes = ["required"] if parameter.required else []
        default = _default_of(parameter)
        if default:
            notes.append(f"default {code(default)}")
        if parameter.envvar:
            notes.append(f"or {code(str(parameter.envvar))}")
        rows.append([code(names), parameter.help or "", ", ".join(notes)])
    return table(["argument or option", "", ""], rows)


def _default_of(parameter: object) -> str:
    default = getattr(parameter, "default", None)
    is_plain = isinstance(default, str | int) and not isinstance(default, bool)
    return str(default) if is_plain and default != "" else ""

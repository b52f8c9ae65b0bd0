"""`outlay config`: the settings in effect, and where each comes from."""

import json
from typing import Annotated

import typer
from rich.table import Table

from outlay.cli.console import DataOption, out, warn
from outlay.settings import Effective, explain_settings


def config(
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Print the settings in effect and where each comes from; secrets are not shown."""
    found = explain_settings(data=data)
    for warning in found.warnings:
        warn(warning)
    if as_json:
        # Not with Rich, which would wrap lines that are wider than the terminal.
        print(json.dumps([_as_json(each) for each in found.settings], indent=2))
        return
    table = Table("variable", "value", "origin", box=None)
    for each in found.settings:
        table.add_row(each.declared.variable.name, _value(each), each.origin.value)
    out.print(table)


def _value(effective: Effective) -> str:
    text = effective.value or f"({effective.declared.default_text.replace('`', '')})"
    return text.replace("[", r"\[")


def _as_json(effective: Effective) -> dict[str, str | bool]:
    variable = effective.declared.variable
    return {
        "variable": variable.name,
        "value": effective.value,
        "origin": effective.origin.value,
        "default": effective.declared.default_text,
        "unit": effective.declared.form.unit,
        "option": variable.option,
        "description": variable.about,
        "isSecret": variable.is_secret,
    }

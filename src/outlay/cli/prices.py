"""`outlay prices`: the price list."""

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table

from outlay.cli.administration import confirm
from outlay.cli.console import DataOption, out, say
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Conflict, Invalid
from outlay.kit.clock import SystemClock
from outlay.pricing.list_changes import ListChanges, compare_lists
from outlay.pricing.seed import BUNDLED
from outlay.services.repricing.price_lists import PriceLists
from outlay.settings import read_settings

SHOWN: Final = 20
"""Maximum number of models and prices shown per kind of change."""
RESTART: Final = "Servers use it from their next start."

prices = typer.Typer(help="The price list and its updates.", no_args_is_help=True)


@prices.command("list")
def list_lists(data: DataOption = None) -> None:
    """List the activated price lists, the active one last."""
    lists = PriceLists(read_settings(data=data).data)
    table = Table("list", "", box=None)
    table.add_row(BUNDLED, _state(lists, BUNDLED, "comes with Outlay"))
    for taken in lists.taken():
        is_past = "" if taken.replaced == BUNDLED else f"replaced by list {BUNDLED} of this release"
        table.add_row(taken.version, _state(lists, taken.version, is_past))
    out.print(table)


def _state(lists: PriceLists, version: str, more: str) -> str:
    return ", ".join(filter(None, ("in use" if version == lists.version else "", more)))


@prices.command("update")
def update(
    file: Annotated[
        Path | None, typer.Argument(help="A data file of genai-prices (v2/data.json).")
    ] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Accept suspicious changes.")] = False,
    revert: Annotated[bool, typer.Option("--revert", help="Return to the previous list.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    data: DataOption = None,
) -> None:
    """Show what a newer price list changes, then activate it. Recorded costs do not change."""
    settings = read_settings(data=data)
    lists = PriceLists(settings.data)
    if revert == (file is not None):
        raise Invalid("Name a file or use `--revert`.", field="file")
    if file is None:
        reverted = lists.revert()
        say(f"{reverted.version} was reverted; {lists.version} is active. {RESTART}")
        return
    if not settings.data.exists():
        raise Invalid(f"{settings.data} does not exist. Run `outlay org create` first.")
    found, body = lists.read(file, SystemClock())
    current = lists.current
    if found.version.rpartition("-")[2] == current.version.rpartition("-")[2]:
        raise Conflict(f"This price list is already in use (version {current.version}).")
    changes = compare_lists(current, found, SystemClock().now())
    _show(changes, current.version)
    if changes.suspicious and not accept:
        named = "".join(f"\n  {line}" for line in changes.suspicious[:SHOWN])
        raise Invalid(
            "Some prices in this list look wrong. Check them, then confirm with "
            f"`--accept`:{named}",
            code=ErrorCode.DOUBTFUL_LIST,
        )
    confirm("Use this list?", yes)
    lists.take(found, body)
    say(f"{found.version} is active. {RESTART}")


def _show(changes: ListChanges, before: str) -> None:
    """Show the changes of a list."""
    table = Table("", "number", "such as", box=None)
    altered = {change.model: None for change in changes.prices}
    for title, names in (
        ("models added", changes.added),
        ("models removed", changes.removed),
        ("models whose prices change", tuple(altered)),
    ):
        table.add_row(title, f"{len(names):,}", ", ".join(names[:3]))
    out.print(f"Compared with {before}, USD today:")
    out.print(table)
    if changes.prices:
        priced = Table("model", "price", "now", "then", box=None)
        for change in changes.prices[:SHOWN]:
            priced.add_row(change.model, change.price, f"{change.before:f}", f"{change.after:f}")
        out.print(priced)
    if len(changes.prices) > SHOWN:
        out.print(f"and {len(changes.prices) - SHOWN:,} more prices")

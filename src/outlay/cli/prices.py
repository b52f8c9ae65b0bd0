"""`outlay prices`: the price list that everything is priced by."""

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
"""Models and prices named of each kind of change."""
RESTART: Final = "Servers use it from their next start."

prices = typer.Typer(help="The price list, and newer ones.", no_args_is_help=True)


@prices.command("list")
def list_lists(data: DataOption = None) -> None:
    """List the price lists that were put to use, the one in use last."""
    lists = PriceLists(read_settings(data=data).data)
    table = Table("list", "", box=None)
    table.add_row(BUNDLED, _state(lists, BUNDLED, "comes with Outlay"))
    for taken in lists.taken():
        is_past = "" if taken.replaced == BUNDLED else f"of before the list {BUNDLED} of Outlay"
        table.add_row(taken.version, _state(lists, taken.version, is_past))
    out.print(table)


def _state(lists: PriceLists, version: str, more: str) -> str:
    return ", ".join(filter(None, ("in use" if version == lists.version else "", more)))


@prices.command("update")
def update(
    file: Annotated[
        Path | None, typer.Argument(help="A data file of genai-prices: its v2/data.json.")
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Also where prices jump or most models are gone.")
    ] = False,
    revert: Annotated[
        bool, typer.Option("--revert", help="Use what was used before the last list.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: DataOption = None,
) -> None:
    """Use a newer price list, once what it changes has been shown. Recorded costs stay."""
    settings = read_settings(data=data)
    lists = PriceLists(settings.data)
    if revert == (file is not None):
        raise Invalid("give a file, or --revert", field="file")
    if file is None:
        reverted = lists.revert()
        say(f"{reverted.version} is taken back; {lists.version} is in use. {RESTART}")
        return
    if not settings.data.exists():
        raise Invalid(f"{settings.data} does not exist; run `outlay org create` first")
    found, body = lists.read(file, SystemClock())
    current = lists.current
    if found.version.rpartition("-")[2] == current.version.rpartition("-")[2]:
        raise Conflict(f"this list is in use already, as {current.version}")
    changes = compare_lists(current, found, SystemClock().now())
    _show(changes, current.version)
    if changes.doubts and not accept:
        named = "".join(f"\n  {doubt}" for doubt in changes.doubts[:SHOWN])
        raise Invalid(
            f"this looks like a mistake; give --accept if it is none:{named}",
            code=ErrorCode.DOUBTFUL_LIST,
        )
    confirm("Use this list?", yes)
    lists.take(found, body)
    say(f"{found.version} is in use. {RESTART}")


def _show(changes: ListChanges, before: str) -> None:
    """What a list changes."""
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

"""`outlay reconcile`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from outlay.cli.amounts import RateOption, parse_amount, parse_rates
from outlay.cli.console import DataOption, out
from outlay.cli.installation import use_installation
from outlay.domain.errors import Invalid
from outlay.domain.money import render_usd
from outlay.domain.reconciliation import Reason, Reconciliation
from outlay.services.reconciliation.bills import FORMATS, BillFile
from outlay.settings import read_settings


def reconcile(
    costs: Annotated[Path, typer.Option(help="The provider's cost export.")],
    provider: Annotated[str, typer.Option(help=f"The provider: {', '.join(FORMATS)} …")],
    mapping: Annotated[Path | None, typer.Option(help="TOML file with the column mapping.")] = None,
    tolerance: Annotated[str, typer.Option(help="Tolerated difference of a line in USD.")] = "0.01",
    timezone: Annotated[str, typer.Option(help="Time zone of the bill's days.")] = "UTC",
    rate: RateOption = None,
    organization: Annotated[
        str | None, typer.Option(help="Organization, if there are several.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show matching lines, too.")] = False,
    data: DataOption = None,
) -> None:
    """Compare a provider's bill with the recorded usage per day, project and model.

    Exit code 0 if every line matches, 1 if some differ.
    """
    bill = BillFile(
        provider=provider,
        content=_text(costs),
        file_name=costs.name,
        mapping=_text(mapping) if mapping else "",
        tolerance_pusd=parse_amount("--tolerance", tolerance),
        timezone=timezone,
        rates=parse_rates(rate or ()),
    )
    with use_installation(read_settings(data=data)) as installation:
        found = installation.reconcile(organization, bill)
    _show(found, everything=everything)
    if found.differing:
        raise typer.Exit(1)


def _show(found: Reconciliation, *, everything: bool) -> None:
    table = Table(box=None)
    for name in (f"day ({found.timezone})", "project", "model"):
        table.add_column(name)
    for name in ("recorded", "billed", "difference"):
        table.add_column(name, justify="right")
    table.add_column("why")
    for line in found.lines:
        if everything or line.reasons:
            table.add_row(
                str(line.day),
                line.project_name,
                line.model,
                render_usd(line.recorded_pusd),
                render_usd(line.billed_pusd),
                render_usd(line.difference_pusd),
                "; ".join(line.reasons),
            )
    if table.row_count:
        out.print(table)
    if found.by_reason:
        out.print(_explanation(found))
    for note in found.notes:
        out.print(note)
    days = (found.to_date - found.from_date).days + 1
    out.print(
        f"{found.provider}, {found.from_date} to {found.to_date} ({days} days): recorded "
        f"{render_usd(found.recorded_pusd)} USD, billed {render_usd(found.billed_pusd)} USD, "
        f"difference {render_usd(found.billed_pusd - found.recorded_pusd)} USD; "
        f"{found.differing:,} of {len(found.lines):,} lines differ."
    )


def _explanation(found: Reconciliation) -> Table:
    """The part of the difference that each reason explains."""
    table = Table("reason", box=None)
    table.add_column("USD", justify="right")
    for reason, amount in found.by_reason.items():
        if reason is not Reason.UNEXPLAINED:
            table.add_row(reason.value, render_usd(amount))
    table.add_row("explained", render_usd(found.explained_pusd))
    table.add_row("unexplained", render_usd(found.unexplained_pusd))
    return table


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise Invalid(f"{path} is not UTF-8 text.") from error

"""`outlay verify`."""

import typer
from rich.table import Table

from outlay.cli.console import DataOption, fail, out, show_progress
from outlay.cli.installation import use_installation
from outlay.domain.money import render_usd
from outlay.services.verification import VerifyReport
from outlay.settings import read_settings


def verify(data: DataOption = None) -> None:
    """Prove that ledger and cube agree to the last pico-USD; exit code 1 when they do not."""
    settings = read_settings(data=data)
    with use_installation(settings) as installation:
        reports = list(show_progress(installation.verify()))
    report = reports[-1]
    if report.is_proven:
        out.print(
            f"Verified: {report.events:,} events, {report.cells:,} cells and {report.days:,} days "
            f"agree; {render_usd(report.cost_pusd)} USD in ledger, cube, every day and every "
            "grouping."
        )
        return
    _show_differences(report)
    raise typer.Exit(1)


def _show_differences(report: VerifyReport) -> None:
    if report.damage:
        fail(report.damage)
        return
    table = Table(title=f"{report.difference_count:,} differences between ledger and cube")
    table.add_column("Where", overflow="fold")
    table.add_column("Measure")
    for name in ("Ledger", "Cube", "Cube − ledger"):
        table.add_column(name, justify="right")
    for found in report.differences:
        table.add_row(
            found.where,
            found.measure,
            f"{found.ledger:,}",
            f"{found.cube:,}",
            f"{found.cube - found.ledger:+,}",
        )
    out.print(table)
    out.print("The ledger is the truth: `outlay rebuild` recreates the cube from it.")

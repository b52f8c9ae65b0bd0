"""`outlay verify`."""

from typing import Final

import typer
from rich.table import Table

from outlay.cli.console import DataOption, fail, out, show_progress
from outlay.cli.installation import Installation, use_installation
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged, OutlayError
from outlay.domain.money import render_usd
from outlay.domain.verification import VerifyReport
from outlay.settings import read_settings

DIFFERS: Final = 1
DAMAGED: Final = 3
BUSY: Final = 4
BROKEN_OFF: Final = 5
SERVER_GONE: Final = 6

_EXIT_OF_CODE: Final = {ErrorCode.BUSY: BUSY, ErrorCode.SERVER_GONE: SERVER_GONE}


def verify(data: DataOption = None) -> None:
    """Verify that ledger and cube are equal to the last pico-USD.

    Exit code 0: equal. 1: they differ. 2: not started. 3: the ledger is damaged, or the command
    could not start because of the disk. 4: other maintenance is running. 5: started but not
    finished. 6: the server that uses the data is unreachable.
    """
    settings = read_settings(data=data)
    try:
        with use_installation(settings) as installation:
            code = show_verification(installation)
    except Damaged as error:
        fail(error.message)
        code = DAMAGED
    raise typer.Exit(code)


def show_verification(installation: Installation) -> int:
    """Verify and print the result; returns the exit code."""
    try:
        (report,) = show_progress(installation.verify())
    except OutlayError as error:
        fail(error.message)
        return _EXIT_OF_CODE.get(error.code, BROKEN_OFF)
    except Exception as error:
        fail(f"The verification failed: {type(error).__name__}: {error}.")
        return BROKEN_OFF
    if report.damage:
        fail(report.damage)
        return DAMAGED
    if report.is_proven:
        out.print(
            f"Verified: {report.events:,} events, {report.cells:,} cells and {report.days:,} days "
            f"match; {render_usd(report.cost_pusd)} USD in ledger, cube, every day and every "
            "grouping."
        )
        return 0
    _show_differences(report)
    return DIFFERS


def _show_differences(report: VerifyReport) -> None:
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
    out.print("The ledger is authoritative. Run `outlay rebuild` to recreate the cube from it.")

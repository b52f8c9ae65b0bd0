"""`outlay migrate-engine`."""

from dataclasses import replace

import orjson
import typer

from outlay.bootstrap.folder import hold_folder
from outlay.bootstrap.installation import open_installation
from outlay.cli.console import DataOption, fail, out, progress_bar, show_progress
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.money import render_usd
from outlay.domain.verification import VerifyReport
from outlay.engines import open_reading, open_truth
from outlay.kit.clock import SystemClock
from outlay.kit.durable import write_file
from outlay.services.upkeep.backup import compare, records_of, take_over
from outlay.settings import Settings, read_settings


def migrate_engine(data: DataOption = None) -> None:
    """Move an installation to the engines in the settings, and verify that both are equal.

    OUTLAY_DATABASE_URL is a new, empty PostgreSQL database; OUTLAY_CUBE_URL, if set, a ClickHouse.
    The server must be stopped. The files in the folder are not changed.
    """
    target = read_settings(data=data)
    if not target.database_url:
        raise Invalid("Set OUTLAY_DATABASE_URL to the URL of the new database (postgresql://…).")
    source = replace(target, database_url="", cube_url="")
    if source.moved_path.exists():
        raise Invalid(f"The installation in {source.data} was already moved.", code=ErrorCode.MOVED)
    with hold_folder(source):
        rows = _copy(source, target)
        note = {"movedAt": SystemClock().now().isoformat(), "rows": rows}
        write_file(source.moved_path, orjson.dumps(note))
    out.print(f"Moved: {rows:,} rows of ledger and directory are the same in both databases.")
    with open_installation(target) as services:
        (report,) = show_progress(services.maintenance.verify())
    _tell(report)


def _copy(source: Settings, target: Settings) -> int:
    """Copy and compare everything; returns the number of rows."""
    clock = SystemClock()
    with (
        open_reading(source) as (ledger, directory),
        open_truth(target, clock) as (new_ledger, new_directory),
        progress_bar() as report,
    ):
        records = records_of(ledger, directory, [], clock, report)
        take_over(records, new_ledger, new_directory, target.data)
        return compare((ledger, directory), (new_ledger, new_directory))


def _tell(report: VerifyReport) -> None:
    if not report.is_proven:
        fail("The cube does not match the ledger. Run `outlay rebuild`, then `outlay verify`.")
        raise typer.Exit(1)
    out.print(
        f"Verified: {report.events:,} events, {report.cells:,} cells and {report.days:,} days "
        f"agree in the new cube; {render_usd(report.cost_pusd)} USD."
    )
    out.print("Start the server with the same settings. The files in the folder were not changed.")

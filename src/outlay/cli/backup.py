"""`outlay backup`."""

from pathlib import Path
from typing import Annotated

import typer

from outlay.cli.console import DataOption, out, progress_bar
from outlay.engines import open_reading
from outlay.kit.clock import SystemClock
from outlay.services.repricing.price_lists import PriceLists
from outlay.services.upkeep.backup import records_of
from outlay.settings import read_settings
from outlay.storage.archive import write_archive


def backup(
    file: Annotated[Path, typer.Argument(help="A new file, such as 2026-11-27.outlay.")],
    data: DataOption = None,
    with_keys: Annotated[
        bool,
        typer.Option("--with-keys", help="Include master.key and audit.key; protect the file."),
    ] = False,
) -> None:
    """Back up ledger and directory to a file, while servers keep running."""
    settings = read_settings(data=data)
    files = [settings.prices_path, *PriceLists(settings.data).files, settings.checkpoints_path]
    if with_keys:
        files += [settings.master_key_path, settings.audit_key_path]
    with open_reading(settings) as (ledger, directory), progress_bar() as report:
        records = records_of(ledger, directory, files, SystemClock(), report)
        size = write_archive(file, records)
    out.print(f"Backed up to {file}: {size / 1e6:,.1f} MB.")
    if not with_keys:
        out.print("The backup has no keys. Keep master.key and audit.key in another safe place.")

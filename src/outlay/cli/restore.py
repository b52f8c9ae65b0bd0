"""`outlay restore`."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from outlay.bootstrap import hold_folder
from outlay.cli.console import DataOption, out, progress_bar
from outlay.domain.errors import Conflict
from outlay.engines import open_truth
from outlay.kit.clock import SystemClock
from outlay.services.backup import check_archive, take_over
from outlay.settings import Settings, read_settings
from outlay.storage.archive import read_archive


def restore(
    file: Annotated[Path, typer.Argument(help="What `outlay backup` wrote.")],
    data: DataOption = None,
) -> None:
    """Make a new installation of a backup; one that exists is never overwritten."""
    settings = read_settings(data=data)
    with progress_bar() as report:
        contents = check_archive(file, report)
    with hold_folder(settings):
        if settings.database_url:
            _take_over(file, settings)
        else:
            _make(file, settings)
    out.print(
        f"Restored {contents.events:,} events and {sum(contents.tables.values()):,} rows of the "
        f"directory as of {contents.created_at[:19]} UTC. `outlay verify` proves them."
    )


def _make(file: Path, settings: Settings) -> None:
    """Restore beside the place of the database, and move it there when it is whole."""
    if settings.database_path.exists():
        raise Conflict(
            f"{settings.data} has an installation; restore into an empty folder", code="not-empty"
        )
    beside = settings.data / "restoring"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(mode=0o700)
    made = replace(settings, data=beside)
    try:
        _take_over(file, made)
        for path in beside.iterdir():
            if path != made.database_path and not (settings.data / path.name).exists():
                path.rename(settings.data / path.name)
        made.database_path.rename(settings.database_path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _take_over(file: Path, settings: Settings) -> None:
    with open_truth(settings, SystemClock()) as (ledger, directory):
        take_over(read_archive(file), ledger, directory, settings.data)

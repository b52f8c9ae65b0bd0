"""`outlay restore`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from outlay.bootstrap.folder import hold_folder
from outlay.cli.console import DataOption, out, progress_bar, say
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Conflict
from outlay.engines import open_truth
from outlay.kit.clock import SystemClock
from outlay.services.upkeep.backup import check_archive, take_over
from outlay.settings import Settings, read_settings
from outlay.storage.archive import read_archive
from outlay.storage.folder import (
    begin_restoring,
    check_complete,
    describe_parts,
    drop_restored,
    finish_restoring,
    move_aside,
    parts_in,
)


def restore(
    file: Annotated[Path, typer.Argument(help="A file written by `outlay backup`.")],
    data: DataOption = None,
    aside: Annotated[
        bool,
        typer.Option(
            "--move-aside",
            help="First move existing files into a dated folder inside the data directory.",
        ),
    ] = False,
) -> None:
    """Create an installation from a backup; an existing one is never overwritten."""
    settings = read_settings(data=data)
    with progress_bar() as report:
        contents = check_archive(file, report)
    with hold_folder(settings, is_restoring=True):
        _make_room(settings, aside=aside)
        if settings.database_url:
            _take_over(file, settings)
        else:
            _make(file, settings)
    out.print(
        f"Restored {contents.events:,} events and {sum(contents.tables.values()):,} rows of the "
        f"directory as of {contents.created_at[:19]} UTC. Run `outlay verify` to check them."
    )


def _make_room(settings: Settings, *, aside: bool) -> None:
    """Ensure that the folder contains no installation."""
    drop_restored(settings)
    if aside:
        folder = move_aside(settings, SystemClock())
        say(
            f"Moved the contents of {settings.data} to {folder}."
            if folder
            else "The folder was empty."
        )
    check_complete(settings)
    if found := parts_in(settings):
        raise Conflict(
            f"{settings.data} already contains parts of an installation "
            f"({describe_parts(found)}). Restore into an empty folder or use `--move-aside`.",
            code=ErrorCode.NOT_EMPTY,
        )


def _make(file: Path, settings: Settings) -> None:
    """Restore into a separate folder, and move it into place when it is complete."""
    made = replace(settings, data=begin_restoring(settings), audit_checkpoints=None)
    try:
        _take_over(file, made)
        finish_restoring(settings, made)
    except BaseException:
        drop_restored(settings)
        raise


def _take_over(file: Path, settings: Settings) -> None:
    with open_truth(settings, SystemClock()) as (ledger, directory):
        take_over(read_archive(file), ledger, directory, settings.data)

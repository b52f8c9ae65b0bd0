"""`outlay restore`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from outlay.bootstrap import hold_folder
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
    file: Annotated[Path, typer.Argument(help="What `outlay backup` wrote.")],
    data: DataOption = None,
    aside: Annotated[
        bool,
        typer.Option(
            "--move-aside",
            help="Move what is in the folder into a dated folder inside it first.",
        ),
    ] = False,
) -> None:
    """Make a new installation of a backup; one that exists is never overwritten."""
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
        f"directory as of {contents.created_at[:19]} UTC. `outlay verify` proves them."
    )


def _make_room(settings: Settings, *, aside: bool) -> None:
    """See to it that nothing of an installation is in the folder."""
    drop_restored(settings)
    if aside:
        folder = move_aside(settings, SystemClock())
        say(f"What was in {settings.data} is in {folder} now." if folder else "Nothing was there.")
    check_complete(settings)
    if found := parts_in(settings):
        raise Conflict(
            f"{settings.data} has something of an installation ({describe_parts(found)}), which "
            "would be mixed up with what is restored; restore into an empty folder, or say "
            "--move-aside",
            code=ErrorCode.NOT_EMPTY,
        )


def _make(file: Path, settings: Settings) -> None:
    """Restore beside the place of the database, and move it there when it is whole."""
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

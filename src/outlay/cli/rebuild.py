"""`outlay rebuild`."""

import typer

from outlay.cli.console import DataOption, out, show_progress
from outlay.cli.installation import use_installation
from outlay.cli.verify import show_verification
from outlay.settings import read_settings


def rebuild(data: DataOption = None) -> None:
    """Rebuild the cube from the ledger and verify it; a running server keeps answering.

    The exit code is that of `outlay verify`.
    """
    settings = read_settings(data=data)
    with use_installation(settings) as installation:
        for _ in show_progress(installation.rebuild()):
            pass
        out.print("Rebuilt the cube from the ledger.")
        raise typer.Exit(show_verification(installation))

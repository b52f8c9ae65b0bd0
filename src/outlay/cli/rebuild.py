"""`outlay rebuild`."""

from outlay.cli.console import DataOption, out, show_progress
from outlay.cli.installation import use_installation
from outlay.settings import read_settings


def rebuild(data: DataOption = None) -> None:
    """Recreate the cube from the ledger; a running server goes on answering meanwhile."""
    settings = read_settings(data=data)
    with use_installation(settings) as installation:
        for _ in show_progress(installation.rebuild()):
            pass
    out.print("Rebuilt the cube from the ledger.")

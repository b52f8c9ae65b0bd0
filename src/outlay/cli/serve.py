"""`outlay serve`."""

from pathlib import Path
from typing import Annotated

import typer

from outlay.bootstrap import open_installation
from outlay.cli.console import DataOption, say
from outlay.cli.serving import bind, run_server, url_of
from outlay.settings import read_settings


def serve(
    data: DataOption = None,
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on [env: OUTLAY_HOST; default: 127.0.0.1]."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Port, 0 for a free one [env: OUTLAY_PORT; 4100]."),
    ] = None,
) -> None:
    """Serve the dashboard and the API from a data directory until stopped."""
    settings = read_settings(data=Path(data) if data else None, host=host, port=port)
    with open_installation(settings) as services:
        listener = bind(settings)
        organizations = services.accounts.organizations()
        run_server(
            services, listener, lambda: say(f"Outlay serves {settings.data} at {url_of(listener)}")
        ) if organizations else _explain(settings.data)


def _explain(data: Path) -> None:
    say(
        f"{data} has no organization yet. Create one and its owner with\n"
        f"  outlay owner you@example.com --data {data}"
    )
    raise typer.Exit(2)

"""`outlay serve`."""

from typing import Annotated

import typer

from outlay.bootstrap import open_installation
from outlay.cli.console import DataOption, out, say
from outlay.cli.serving import bind, run_server, url_of
from outlay.kit.secrets import new_secret
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
    settings = read_settings(data=data, host=host, port=port)
    with open_installation(settings) as services:
        listener = bind(settings)
        url = settings.public_url or url_of(listener)
        setup_secret = new_secret() if services.administration.sign_in.is_new() else ""

        def announce() -> None:
            say(f"Outlay serves {settings.data} at {url_of(listener)}")
            if setup_secret:
                say("There is no organization yet. Set it up, once, at")
                out.print(f"{url}/setup/{setup_secret}")

        run_server(services, listener, announce, setup_secret=setup_secret)

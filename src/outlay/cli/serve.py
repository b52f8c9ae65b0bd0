"""`outlay serve`."""

import logging
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated

import typer

from outlay.bootstrap.administration import open_administration
from outlay.bootstrap.installation import open_installation
from outlay.cli.console import DataOption, ending_on_errors, out, say
from outlay.cli.serving import Secrets, bind, log_as_server, run_server, url_of
from outlay.cli.workers import Supervisor
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.kit.secrets import new_secret
from outlay.settings import MAX_WORKERS, Settings, read_settings

logger = logging.getLogger(__name__)


def serve(
    data: DataOption = None,
    host: Annotated[
        str | None,
        typer.Option(help="Listening address [env: OUTLAY_HOST; default: 127.0.0.1]."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Port, 0 for a free one [env: OUTLAY_PORT; 4100]."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_WORKERS,
            help="Processes; more than one needs PostgreSQL [env: OUTLAY_WORKERS; 1].",
        ),
    ] = None,
) -> None:
    """Serve the dashboard and the API from a data directory until stopped."""
    settings = read_settings(data=data, host=host, port=port, workers=workers)
    log_as_server(settings)
    if settings.workers > 1:
        raise typer.Exit(_serve_together(settings))
    with open_installation(settings) as services:
        listener = bind(settings)
        secrets = Secrets(
            operator=new_secret(),
            setup=new_secret() if services.administration.sign_in.is_new() else "",
        )
        run_server(services, listener, lambda: _announce(settings, listener, secrets), secrets)


def _serve_together(settings: Settings) -> int:
    """Serve with several processes; returns the exit code."""
    if not settings.database_url:
        raise Invalid(
            "Several workers need a shared database. Set OUTLAY_DATABASE_URL to postgresql://… "
            "or run one worker.",
            code=ErrorCode.WORKERS_NEED_POSTGRES,
        )
    # Migrate the tables and create the keys of the folder before several processes would do so
    # concurrently.
    with open_administration(settings) as administration:
        is_new = administration.sign_in.is_new()
    secrets = Secrets(operator=new_secret(), setup=new_secret() if is_new else "")
    listener = bind(settings)

    def work(number: int, on_ready: Callable[[], None]) -> None:
        with (
            ending_on_errors(f"worker {number}: "),
            open_installation(replace(settings, worker=number)) as services,
        ):
            run_server(services, listener, on_ready, secrets)

    return Supervisor(settings.workers, work).run(lambda: _announce(settings, listener, secrets))


def _announce(settings: Settings, listener: socket.socket, secrets: Secrets) -> None:
    together = f" with {settings.workers} workers" if settings.workers > 1 else ""
    # A log in JSON contains only JSON.
    announce = partial(logger.info, "%s") if settings.log.is_json else say
    announce(f"Outlay serves {settings.data} at {url_of(listener)}{together}")
    if secrets.setup:
        announce("There is no organization yet. Set one up (once) at")
        out.print(f"{settings.public_url or url_of(listener)}/setup/{secrets.setup}")

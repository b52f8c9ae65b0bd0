"""Running the web server in the foreground until it is stopped."""

import gc
import logging
import os
import resource
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec
from starlette.types import ASGIApp

from outlay.cli.signals import on_stop
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Unavailable
from outlay.kit.durable import write_file
from outlay.kit.logs import JsonFormatter, TextFormatter, start_logging
from outlay.services.bundle import Services
from outlay.services.server_info import ServerInfo
from outlay.settings import Settings

logger = logging.getLogger(__name__)

GC_THRESHOLD = 50_000
"""The default of 700 would run the collector very often for nothing: events are created in the
thousands and have no cycles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Secrets for access without an account, common to all processes of one server."""

    operator: str = field(repr=False)
    """For other commands on this machine."""
    setup: str = field(default="", repr=False)
    """The last part of the setup URL for the first owner; empty if there is none."""


def log_as_server(settings: Settings) -> None:
    """Log as the settings say, including uvicorn; first log what should be changed in the
    settings."""
    formatter = JsonFormatter() if settings.log.is_json else TextFormatter()
    start_logging(formatter, settings.log.level.number, "outlay", "uvicorn")
    for warning in settings.warnings:
        logger.warning("%s", warning)


def bind(settings: Settings) -> socket.socket:
    """The listening socket; raises Unavailable if the address is in use."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"Cannot listen on {settings.host} port {settings.port}: {error.strerror}. Choose "
            "another port with `--port`."
        ) from error
    listener.listen(1024)
    return listener


def _raise_file_limit() -> None:
    """Raise the limit on open files as far as allowed: the usual default of 1,024 is too low."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def url_of(listener: socket.socket) -> str:
    """The URL for browsers on this machine."""
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run_server(
    services: Services,
    listener: socket.socket,
    on_ready: Callable[[], None],
    secrets: Secrets,
    more: Mapping[str, ASGIApp] | None = None,
) -> None:
    """Serve until a signal stops the server; `on_ready` is called once requests are served.

    `more` are further paths and their applications. Raises Unavailable at the end if the ledger
    failed, so that a process supervisor sees that it was not an ordinary stop.
    """
    # Imported here: it would slow down all other commands.
    from outlay.cli.server import Server
    from outlay.web.app import Application

    _raise_file_limit()
    application = Application(services, secrets.operator, more, secrets.setup)
    server = Server(application, services.settings, on_ready)
    info = ServerInfo(pid=os.getpid(), url=url_of(listener), token=secrets.operator)
    # One of several workers writes the server info for all: they have the same address.
    path = services.settings.server_path if not services.settings.worker else None
    if path is not None:
        write_file(path, msgspec.json.encode(info))
        # Likewise, only one worker logs the ends of the audit trail.
        logging.getLogger("outlay.audit").setLevel(logging.INFO)
        services.administration.audit.log_ends()
    services.projection.start()
    services.watch.start()
    services.retention.start()
    services.scrubbing.start()
    services.maintenance.start()
    services.recovery.start()
    gc.freeze()  # exclude objects loaded at startup from garbage collection
    gc.set_threshold(GC_THRESHOLD)
    # Uvicorn handles two of the signals itself, and raises them again after it has stopped. They
    # must not end the process then, because the stores still have to be closed.
    on_stop(server.stop)
    try:
        server.run(sockets=[listener])
    finally:
        if path is not None:
            path.unlink(missing_ok=True)
        listener.close()
    if services.ledger.failure:
        raise Unavailable(
            f"{services.ledger.failure} Outcomes that were not written are in "
            f"{services.settings.rescue_path}; the next start records them.",
            code=ErrorCode.LEDGER_FAILED,
        )

"""The configuration of Uvicorn."""

import math
import socket
from collections.abc import Callable
from functools import partial
from typing import Final

import uvicorn
from typing_extensions import override

from outlay.settings import Settings
from outlay.web.app import Application
from outlay.web.http.protocol import BoundedProtocol

BACKLOG: Final = 512
"""Connections that can wait to be accepted."""


def server_config(app: Application, *, grace_seconds: float) -> uvicorn.Config:
    """How the application is served; after SIGTERM, running requests have `grace_seconds`."""
    return uvicorn.Config(
        app,
        http=partial(BoundedProtocol, app.connections),  # type: ignore[arg-type]  # uvicorn calls it
        backlog=BACKLOG,
        headers=[("X-Content-Type-Options", "nosniff")],
        ws="none",
        log_config=None,  # its loggers pass their records to Outlay's (outlay.cli.serving)
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=math.ceil(grace_seconds),
        lifespan="on",
    )


class Server(uvicorn.Server):
    """Uvicorn with a callback for when it is ready."""

    def __init__(self, app: Application, settings: Settings, on_ready: Callable[[], None]) -> None:
        super().__init__(server_config(app, grace_seconds=settings.proxy.grace_seconds))
        self._on_ready = on_ready

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then report that."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    def stop(self) -> None:
        """Stop accepting requests, finish the running ones, then return from `run`."""
        self.should_exit = True

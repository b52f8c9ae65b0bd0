"""One log line, and one span if traces are enabled, for each request that is served. Pure ASGI.

A line has the declared route, such as `/invitation/{secret}`, never the path: paths contain ids and
secrets. No header, query or body is logged.
"""

import logging
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outlay.domain.actor import Actor
from outlay.domain.organization import ApiKey
from outlay.kit.logs import FIELDS
from outlay.kit.tracing import Span, Tracer

logger = logging.getLogger("outlay.access")

RECORD: Final = "outlay.request_record"
"""The key of a request's record in its scope."""

UNROUTED: Final = "(none)"
"""The route of a request to an unknown path."""

_QUIET_ROUTES: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_QUIET_PREFIX: Final = "/static/"
"""Requested continuously by probes: logged at level debug."""

_REQUEST_IDS: Final = frozenset({b"x-outlay-request-id", b"x-request-id", b"request-id"})


class RequestRecord:
    """The data of a request for its log line."""

    __slots__ = ("organization_id", "principal", "request_id", "route", "status")

    def __init__(self) -> None:
        self.route = UNROUTED
        self.principal = ""
        """The kind and id of the credential or member: `key:…`, `token:…`, `member:…`."""
        self.organization_id = ""
        self.request_id = ""
        self.status = 0
        """0 if the client left before an answer began."""

    def fields(self, method: str, seconds: float) -> dict[str, str | int | float]:
        """The fields of the log line; those without a value are left out."""
        found: dict[str, str | int | float] = {
            "requestId": self.request_id,
            "method": method,
            "route": self.route,
            "status": self.status,
            "durationMs": round(seconds * 1000, 2),
            "principal": self.principal,
            "organizationId": self.organization_id,
        }
        return {name: value for name, value in found.items() if value != ""}


def note_route(scope: Scope, route: str) -> None:
    """Record the declared path of a request."""
    record: RequestRecord | None = scope.get(RECORD)
    if record is not None:
        record.route = route


def note_principal(scope: Scope, principal: Actor | ApiKey | None) -> None:
    """Record the authenticated caller."""
    record: RequestRecord | None = scope.get(RECORD)
    if record is None or principal is None:
        return
    record.organization_id = principal.organization_id
    if isinstance(principal, ApiKey):
        record.principal = f"key:{principal.api_key_id}"
    elif principal.credential_id:
        record.principal = f"token:{principal.credential_id}"
    else:
        record.principal = f"member:{principal.member_id}"


class AccessLog:
    """Wraps an application and records how each request ended."""

    def __init__(self, app: ASGIApp, tracer: Tracer | None) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        tracer = self._tracer
        if scope["type"] != "http" or (tracer is None and not logger.isEnabledFor(logging.INFO)):
            await self._app(scope, receive, send)
            return
        scope[RECORD] = record = RequestRecord()
        started = time.perf_counter()

        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                record.request_id = _request_id(message["headers"])
            await send(message)

        spanning: AbstractContextManager[Span | None] = (
            nullcontext() if tracer is None else tracer.span(scope["method"], is_server=True)
        )
        with spanning as span:
            try:
                await self._app(scope, receive, send_noted)
            finally:
                fields = record.fields(scope["method"], time.perf_counter() - started)
                _log(record.route, fields)
                if span is not None:
                    _describe(span, scope["method"], record)


def _request_id(headers: list[tuple[bytes, bytes]]) -> str:
    # Outlay's header is the last one: an upstream's own id may precede it.
    for name, value in reversed(headers):
        if name in _REQUEST_IDS:
            return value.decode("latin-1")
    return ""


def _log(route: str, fields: dict[str, str | int | float]) -> None:
    is_quiet = route in _QUIET_ROUTES or route.startswith(_QUIET_PREFIX)
    level = logging.DEBUG if is_quiet else logging.INFO
    if logger.isEnabledFor(level):
        # Created here, because `logger.log` would search the calling line of code, which takes 3
        # µs.
        made = logger.makeRecord(logger.name, level, "", 0, "request", (), None)
        setattr(made, FIELDS, fields)
        logger.handle(made)


def _describe(span: Span, method: str, record: RequestRecord) -> None:
    """Attributes according to OpenTelemetry's conventions for HTTP servers."""
    span.rename(f"{method} {record.route}")
    span.set(
        {
            "http.request.method": method,
            "http.route": record.route,
            "http.response.status_code": record.status,
            "outlay.request.id": record.request_id,
            "outlay.organization.id": record.organization_id,
        }
    )
    if record.status >= 500:
        span.fail(str(record.status))

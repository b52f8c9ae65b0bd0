"""The gateway as an ASGI application: routing, health checks and metrics."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.types import Receive, Scope, Send

from outlay.domain.errors import OutlayError, Unauthenticated
from outlay.domain.result import VerificationState
from outlay.kit.clock import MICROSECONDS
from outlay.services.bundle import Services
from outlay.web.http.connections import Connections
from outlay.web.http.refusals import Reason, Refusals
from outlay.web.proxy.answers import PreparedResponse, refusal_response, send_response
from outlay.web.proxy.credentials import credential_of
from outlay.web.proxy.dialects import ANTHROPIC, OPENAI, Dialect
from outlay.web.proxy.endpoints import ENDPOINTS
from outlay.web.proxy.forward import Forwarder
from outlay.web.proxy.loop_detection import LoopDetector
from outlay.web.proxy.metrics import CONTENT_TYPE, Metrics
from outlay.web.proxy.metrics_exchange import MetricsExchange
from outlay.web.proxy.models import ModelList, render_models
from outlay.web.proxy.polls import Polls, polled_id
from outlay.web.proxy.unknown_paths import (
    MODELS,
    dialect_of,
    is_websocket,
    method_not_allowed_response,
    unknown_path_response,
    upgrade_required_response,
)
from outlay.web.proxy.upstream import UpstreamClient

_Handler = Callable[[Scope, Receive, Send], Awaitable[None]]

PLAIN: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"


class Proxy:
    """Serves the paths in `handlers`. Started and closed in one event loop."""

    def __init__(self, services: Services, refusals: Refusals) -> None:
        self._services = services
        self._refusals = refusals
        self._exchange = MetricsExchange(
            services.settings, services.clock, lambda: self._metrics.snapshot()
        )
        self._metrics = Metrics(self._exchange.others, refusals.counts)
        self._metrics.add_gauge(
            "outlay_ledger_lag_events",
            "Events on record that are not in answers yet.",
            lambda: services.projection.pending_events,
            combine=max,
        )
        self._metrics.add_gauge(
            "outlay_outcomes_overdue",
            "Outcomes that wait for a ledger that cannot write.",
            lambda: services.gateway.intents.overdue,
        )
        self._metrics.add_gauge(
            "outlay_journal_entries",
            "Events and intents in the write-ahead buffer while the database is unreachable.",
            lambda: services.ledger.buffered,
        )
        self._metrics.add_gauge(
            "outlay_scrub_faults",
            "Damaged rows and batches that reading everything has found.",
            lambda: len(services.scrubbing.faults),
            combine=max,
        )
        self._metrics.add_gauge(
            "outlay_scrub_finished_seconds",
            "When everything had last been read, in seconds since the epoch; 0 for never.",
            lambda: (services.scrubbing.state.finished_at_us or 0) // MICROSECONDS,
            combine=max,
        )
        self._metrics.add_gauge(
            "outlay_verification_failed",
            "1 when the last verification found that cube and ledger differ, or damage.",
            lambda: int(services.maintenance.last_verified.state is VerificationState.DIFFERS),
            combine=max,
        )
        self._metrics.add_gauge(
            "outlay_verified_timestamp_seconds",
            "When the last verification ended, 0 before the first.",
            lambda: int(at.timestamp()) if (at := services.maintenance.last_verified.at) else 0,
            combine=max,
        )
        self._hops = LoopDetector(services.ledger.ledger_id)
        self._forwarder: Forwarder | None = None
        self._models: ModelList | None = None
        self._polls: Polls | None = None
        self._is_closing = False
        self.handlers: Mapping[str, _Handler] = {
            **dict.fromkeys(ENDPOINTS, self._relay),
            MODELS: self._list_models,
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._render_metrics,
        }

    def show_edge(self, connections: Connections) -> None:
        """Add the number of open and of rejected connections to the metrics."""
        self._metrics.add_gauge(
            "outlay_connections", "Open connections of clients.", lambda: len(connections)
        )
        self._metrics.add_gauge(
            "outlay_connections_refused",
            "Connections refused, or closed for others, at a ceiling since the start.",
            lambda: connections.refused,
        )
        throttle = self._services.administration.sign_in.throttle
        self._metrics.add_gauge(
            "outlay_sign_ins_attempted",
            "Attempts to sign in, good ones too, since the start.",
            lambda: throttle.attempts,
        )
        self._metrics.add_gauge(
            "outlay_sign_ins_refused",
            "Attempts to sign in that had to wait after failures, since the start.",
            lambda: throttle.refused,
        )

    def start(self) -> None:
        """Start what needs a running event loop."""
        self._exchange.start()
        settings = self._services.settings.proxy
        upstreams = UpstreamClient(
            connect_seconds=settings.connect_seconds, egress=self._services.settings.egress
        )
        self._forwarder = Forwarder(
            api_keys=self._services.api_keys,
            gateway=self._services.gateway,
            upstreams=upstreams,
            hops=self._hops,
            settings=settings,
            metrics=self._metrics,
            refusals=self._refusals,
        )
        self._models = ModelList(self._services.router, upstreams)
        self._polls = Polls(self._forwarder)

    async def close(self) -> None:
        """Flush the outcomes that are left to record, and close the connections to upstreams."""
        self._is_closing = True
        self._exchange.stop()
        if self._forwarder is not None:
            self._forwarder.sweeper.stop()
            await self._forwarder.upstreams.close()
        self._services.gateway.intents.flush()

    async def _relay(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = ENDPOINTS[scope["path"]]
        if self._forwarder is None:
            raise RuntimeError("the gateway has not been started")
        if scope["method"] != "POST":
            await self._refuse_method(endpoint.dialect, scope, send)
            return
        await self._forwarder.serve(endpoint, scope, receive, send)

    async def _list_models(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(reversed(scope["headers"]))
        dialect = ANTHROPIC if b"anthropic-version" in headers else OPENAI
        if self._models is None:
            raise RuntimeError("the gateway has not been started")
        credential = credential_of(headers, scope["query_string"])
        try:
            api_key = await self._services.api_keys.authenticate(credential)
            await self._services.gateway.prepare(api_key)
            hops = self._hops.next_hops(headers)
        except OutlayError as error:
            if isinstance(error, Unauthenticated):
                self._refusals.note_credential(credential, scope)
            await send_response(send, refusal_response(dialect, error))
            return
        models = await self._models.models(api_key, hops)
        await _answer(send, 200, render_models(models, is_anthropic=dialect is ANTHROPIC), JSON)

    async def serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call to a provider API path that is not in `handlers`."""
        if self._polls is not None and polled_id(scope["method"], scope["raw_path"]):
            await self._polls.serve(scope, receive, send)
        else:
            await self._refuse_stray(scope, send)

    async def _refuse_stray(self, scope: Scope, send: Send) -> None:
        """Answer a call to a path that is not relayed."""
        headers = dict(reversed(scope["headers"]))
        if is_websocket(headers):
            await self._refuse_method(dialect_of(scope["path"], headers), scope, send)
            return
        self._refusals.note(Reason.UNKNOWN_PATH, scope)
        await send_response(send, unknown_path_response(scope, headers))

    async def _refuse_method(self, dialect: Dialect, scope: Scope, send: Send) -> None:
        headers = dict(reversed(scope["headers"]))
        self._refusals.note(Reason.WRONG_METHOD, scope)
        is_handshake = is_websocket(headers)
        await send_response(
            send,
            (upgrade_required_response if is_handshake else method_not_allowed_response)(
                dialect, scope["path"]
            ),
        )

    def refused(self) -> Mapping[str, int]:
        """Calls refused since the start, by reason, on this machine."""
        return self._metrics.refused()

    async def _healthz(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Liveness: the process responds."""
        await _answer(send, 200, b"ok\n", PLAIN)

    async def _readyz(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Readiness: callers are known, the ledger accepts events, and the server is not
        stopping.
        """
        fault = self._fault()
        await _answer(send, 503 if fault else 200, f"{fault or 'ready'}\n".encode(), PLAIN)

    def _fault(self) -> str | None:
        """Why requests would be refused, None if they would not."""
        services = self._services
        if self._is_closing:
            return "The server is shutting down."
        if services.gateway.intents.overdue:
            return "The ledger is not writable."
        if services.watch.is_unreachable and not (
            services.api_keys.knows_any() or services.senders.knows_any()
        ):
            return "The database is unreachable and no caller is cached."
        return services.ledger.refusal

    async def _render_metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _answer(send, 200, self._metrics.render(), CONTENT_TYPE)


async def _answer(send: Send, status: int, body: bytes, content_type: str) -> None:
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send_response(send, PreparedResponse(status, headers, body))

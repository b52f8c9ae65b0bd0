"""`/healthz`, `/readyz` and `/metrics`, for load balancers and Prometheus."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from outlay.services.bundle import Services
from outlay.web.http.connections import Connections
from outlay.web.http.gauges import add_gauges
from outlay.web.http.metrics import CONTENT_TYPE, Metrics
from outlay.web.http.metrics_exchange import MetricsExchange
from outlay.web.http.plain import send_plain
from outlay.web.http.refusals import Refusals


class Probes:
    """Answers on the paths in `handlers`, without authentication."""

    def __init__(self, services: Services, refusals: Refusals, connections: Connections) -> None:
        self._services = services
        self._exchange = MetricsExchange(
            services.settings, services.clock, lambda: self.metrics.snapshot()
        )
        self.metrics = Metrics(self._exchange.others, refusals.counts)
        add_gauges(self.metrics, services, connections)
        self._is_closing = False
        self.handlers: Mapping[str, ASGIApp] = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
        }

    def start(self) -> None:
        """Start sharing the metrics with other worker processes."""
        self._exchange.start()

    def close(self) -> None:
        """Stop being ready and sharing metrics."""
        self._is_closing = True
        self._exchange.stop()

    async def _healthz(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whether the process responds."""
        await send_plain(send, 200, b"ok\n")

    async def _readyz(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whether the process accepts requests: it knows callers, and the ledger accepts events."""
        reason = self._reason()
        await send_plain(send, 503 if reason else 200, f"{reason or 'ready'}\n".encode())

    def _reason(self) -> str | None:
        """Why requests would be refused; None if they would not."""
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

    async def _metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_plain(send, 200, self.metrics.render(), CONTENT_TYPE)

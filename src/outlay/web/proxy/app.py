"""The gateway as an ASGI application: which requests it relays, and which it refuses."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from outlay.domain.errors import OutlayError, Unauthenticated
from outlay.services.bundle import Services
from outlay.web.http.access_log import note_principal
from outlay.web.http.metrics import Metrics
from outlay.web.http.plain import JSON, send_plain
from outlay.web.http.refusals import Reason, Refusals
from outlay.web.proxy.answers import refusal_response, send_response
from outlay.web.proxy.credentials import credential_of
from outlay.web.proxy.dialects import ANTHROPIC, OPENAI, Dialect
from outlay.web.proxy.endpoints import ENDPOINTS
from outlay.web.proxy.forward import Forwarder
from outlay.web.proxy.loop_detection import LoopDetector
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


class Proxy:
    """Serves the paths in `handlers`. Started and closed in one event loop."""

    def __init__(self, services: Services, refusals: Refusals, metrics: Metrics) -> None:
        self._services = services
        self._refusals = refusals
        self._metrics = metrics
        self._hops = LoopDetector(services.ledger.ledger_id)
        self._forwarder: Forwarder | None = None
        self._models: ModelList | None = None
        self._polls: Polls | None = None
        self.handlers: Mapping[str, ASGIApp] = {
            **dict.fromkeys(ENDPOINTS, self._relay),
            MODELS: self._list_models,
        }

    def start(self) -> None:
        """Start what needs a running event loop."""
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
            note_principal(scope, api_key)
            await self._services.gateway.prepare(api_key)
            hops = self._hops.next_hops(headers)
        except OutlayError as error:
            if isinstance(error, Unauthenticated):
                self._refusals.note_credential(credential, scope)
            await send_response(send, refusal_response(dialect, error))
            return
        models = await self._models.models(api_key, hops)
        body = render_models(models, is_anthropic=dialect is ANTHROPIC)
        await send_plain(send, 200, body, JSON)

    async def serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call to a provider API path that is not in `handlers`."""
        if self._polls is not None and polled_id(scope["method"], scope["raw_path"]):
            await self._polls.serve(scope, receive, send)
        else:
            await self._refuse_unknown_path(scope, send)

    async def _refuse_unknown_path(self, scope: Scope, send: Send) -> None:
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

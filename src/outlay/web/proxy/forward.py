"""Relaying one request: admit it, send it on, relay the answer in pieces, record the outcome.

The end of an answer is held back until the outcome is on disk: a client that has received the end
of an answer finds it in the ledger.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable
from typing import Final, TypeVar

from starlette.types import Receive, Scope, Send

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid, OutlayError, Unauthenticated, Unavailable
from outlay.domain.event import Status, status_of_code
from outlay.services.access.api_key_authentication import ApiKeys
from outlay.services.gateway.gateway import Ending, Exchange, Gateway
from outlay.services.gateway.routing import Route
from outlay.settings import ProxySettings
from outlay.web.http.access_log import note_principal
from outlay.web.http.body import BodyTooLarge
from outlay.web.http.errors import status_of
from outlay.web.http.metrics import Metrics
from outlay.web.http.refusals import Refusals
from outlay.web.proxy.answers import error_response, refusal_response
from outlay.web.proxy.asking import REFUSALS, UsageAsking, read_ahead
from outlay.web.proxy.client import Client, ClientGone
from outlay.web.proxy.credentials import credential_of, secret_header, without_credential
from outlay.web.proxy.deadlines import Deadline, DeadlineExceeded, DeadlineSweeper
from outlay.web.proxy.drain import Drain
from outlay.web.proxy.endpoints import Endpoint
from outlay.web.proxy.followed import FollowedResponses
from outlay.web.proxy.headers import listed_by, request_headers, response_headers
from outlay.web.proxy.loop_detection import LoopDetector
from outlay.web.proxy.upstream import UpstreamClient, UpstreamFailure, UpstreamResponse
from outlay.wire.answer import Answer
from outlay.wire.answer_reader import BodyReader, StreamReader
from outlay.wire.call import MAX_REQUEST_BYTES, Call
from outlay.wire.caller import Headers, read_caller

logger = logging.getLogger(__name__)

_Result = TypeVar("_Result")

_REDIRECT: Final = UpstreamFailure(
    "upstream-redirect",
    "The provider returned a redirect, which the gateway does not follow.",
    is_unsent=True,
    is_final=True,
)
_NONSENSE: Final = UpstreamFailure("upstream-garbled", "The provider returned an invalid status.")


class Forwarder:
    """Relays requests. Created in a running event loop."""

    def __init__(
        self,
        *,
        api_keys: ApiKeys,
        gateway: Gateway,
        upstreams: UpstreamClient,
        hops: LoopDetector,
        settings: ProxySettings,
        metrics: Metrics,
        refusals: Refusals,
    ) -> None:
        self.api_keys = api_keys
        self.gateway = gateway
        self.upstreams = upstreams
        self.hops = hops
        self.settings = settings
        self.metrics = metrics
        self.refusals = refusals
        self.asking = UsageAsking()
        self.followed = FollowedResponses()
        self.sweeper = DeadlineSweeper()

    async def serve(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        deadline = Deadline(self.sweeper)
        client = Client(receive, send, deadline, self.settings.client_seconds)
        try:
            await _Relay(self, endpoint, scope, client, deadline).run()
        finally:
            deadline.end()


class _Relay:
    """One request being relayed."""

    def __init__(
        self,
        forwarder: Forwarder,
        endpoint: Endpoint,
        scope: Scope,
        client: Client,
        deadline: Deadline,
    ) -> None:
        self._forwarder = forwarder
        self._gateway = forwarder.gateway
        self._settings = forwarder.settings
        self._metrics = forwarder.metrics
        self._endpoint = endpoint
        self._scope = scope
        self._client = client
        self._deadline = deadline
        self._started = time.monotonic()
        self._waited = 0.0
        """Seconds spent waiting for the upstream."""
        self._route: Route | None = None
        self._answer: Answer | None = None
        self._status: int | None = None
        """The status sent to the client, if any."""
        self._arrived: float | None = None
        """When the last bytes of the answer arrived."""
        self._first_token: float | None = None
        """When the first event with content arrived."""
        self._drain = Drain(client, forwarder.settings, forwarder.metrics)

    async def run(self) -> None:
        """Serve the request to its end."""
        headers = dict(reversed(self._scope["headers"]))
        credential = credential_of(headers, self._scope["query_string"])
        try:
            api_key = await self._forwarder.api_keys.authenticate(credential)
            note_principal(self._scope, api_key)
            await self._gateway.prepare(api_key)
        except OutlayError as error:
            if isinstance(error, Unauthenticated):
                self._forwarder.refusals.note_credential(credential, self._scope)
            await self._refuse(error)
            return
        exchange = self._gateway.begin(
            api_key, read_caller(headers), self._endpoint.operation, started=self._started
        )
        self._metrics.in_flight += 1
        try:
            await self._exchange(exchange, headers)
        except asyncio.CancelledError:
            # The process is shutting down; what is known so far is recorded.
            ending = self._ending(Status.GATEWAY_ERROR, "gateway-stopped")
            self._gateway.finish_now(exchange, ending)
        except ClientGone:
            pass
        except Exception:
            logger.exception("a request was not relayed")
            await self._finish(exchange, self._ending(Status.GATEWAY_ERROR, "internal", 500))
            if self._status is None:
                text = "The gateway had an internal error. See its log for details."
                await self._say(500, ErrorCode.INTERNAL, text, exchange.request_id)
        finally:
            self._metrics.in_flight -= 1
            self._drain.end()

    # Admitting

    async def _exchange(self, exchange: Exchange, headers: Headers) -> None:
        try:
            hops = self._forwarder.hops.next_hops(headers)
            call = await self._read_call(headers)
            route = await self._gateway.admit(exchange, call)
        except ClientGone:
            await self._finish(exchange, self._ending(Status.CANCELED, is_free=True))
            raise
        except Unavailable as error:
            # Refused, because the ledger cannot record it; it does not become a recorded request.
            await self._refuse(error, exchange.request_id)
        except OutlayError as error:
            is_ours = status_of(error) >= 500
            status = Status.GATEWAY_ERROR if is_ours else Status.CLIENT_ERROR
            ending = self._ending(status, error.code, status_of(error), is_free=True)
            await self._finish(exchange, ending)
            await self._refuse(error, exchange.request_id)
        else:
            await self._relay(exchange, call, route, headers, hops)

    async def _read_call(self, headers: Headers) -> Call:
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise Invalid("Send the body without a content encoding.", code=ErrorCode.ENCODED_BODY)
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > MAX_REQUEST_BYTES:
            raise BodyTooLarge(MAX_REQUEST_BYTES)
        body = await self._client.read_body(MAX_REQUEST_BYTES)
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        return self._endpoint.parse(body, content_type)

    async def _refuse(self, error: OutlayError, request_id: str = "") -> None:
        """Answer with one of the gateway's own errors."""
        status, headers, body = refusal_response(self._endpoint.dialect, error, request_id)
        await self._put(status, headers, body, more=False)

    async def _say(
        self, status: int, code: str, message: str, request_id: str, *, is_final: bool = False
    ) -> None:
        """Answer with an error in the client's dialect."""
        error_answer = error_response(
            self._endpoint.dialect, status, code, message, request_id, is_final=is_final
        )
        await self._put(*error_answer, more=False)

    # Sending on and relaying back

    async def _relay(
        self, exchange: Exchange, call: Call, route: Route, headers: Headers, hops: str
    ) -> None:
        self._route = route
        response: UpstreamResponse | None = None
        asking = self._forwarder.asking
        adds_usage = self._endpoint.adds_usage(call) and asking.is_fine(route.upstream)
        try:
            response = await self._send(call, route, headers, hops, adds_usage=adds_usage)
            if adds_usage and response.status in REFUSALS:
                response = first = await read_ahead(response, self._next)
                if first.names_the_question:
                    first.close()
                    adds_usage = False
                    response = await self._send(call, route, headers, hops, adds_usage=False)
                    if response.status < 400:
                        asking.note_refusal(route.upstream)
            if 300 <= response.status < 400:
                await self._fail(exchange, _REDIRECT)
            elif not 200 <= response.status < 600:
                await self._fail(exchange, _NONSENSE)
            else:
                await self._pass_back(exchange, response, hides_usage=adds_usage)
        except UpstreamFailure as failure:
            await self._fail(exchange, failure)
        finally:
            if response is not None:
                response.close()

    async def _send(
        self, call: Call, route: Route, headers: Headers, hops: str, *, adds_usage: bool
    ) -> UpstreamResponse:
        """Send a call to the upstream; returns when the response headers have arrived."""
        query = without_credential(self._scope["query_string"])
        connection = headers.get(b"connection")
        sending = self._forwarder.upstreams.send(
            route.upstream.base_url + self._endpoint.suffix + (f"?{query}" if query else ""),
            request_headers(
                self._scope["headers"],
                listed_by(connection) if connection else frozenset(),
                secret_header(route, self._endpoint.dialect),
            ),
            self._endpoint.rewrite(call, route.model, adds_usage=adds_usage),
            hops=hops,
        )
        return await self._from_upstream(sending, self._settings.answer_seconds)

    async def _pass_back(
        self, exchange: Exchange, response: UpstreamResponse, *, hides_usage: bool
    ) -> None:
        reader = self._endpoint.reader(
            response.content_type, response.content_encoding, hides_usage=hides_usage
        )
        self._answer = answer = reader.answer
        is_stream = isinstance(reader, StreamReader)
        is_timed = is_stream and response.status < 400
        headers = response_headers(response.headers, exchange.request_id, has_length=not is_stream)
        held = b""
        while chunk := await self._next(response):
            passed = reader.feed(chunk)
            if is_timed and answer.has_content and self._first_token is None:
                self._first_token = self._arrived
            if not is_stream:
                held, passed = passed, held
            elif answer.is_complete:
                await self._finish(exchange, self._outcome(response, reader))
            if passed and self._drain.is_client_there():
                await self._put(response.status, headers, passed)
        rest = reader.finish()
        if is_timed and answer.has_content and self._first_token is None:
            self._first_token = self._arrived
        await self._finish(exchange, self._outcome(response, reader))
        if not self._client.is_gone:
            await self._put(response.status, headers, rest if is_stream else held, more=False)

    async def _next(self, response: UpstreamResponse) -> bytes:
        """The next bytes of the answer; raises UpstreamFailure after the deadline."""
        chunk = await self._from_upstream(response.read(), self._settings.idle_seconds)
        self._arrived = now = time.monotonic()
        if self._drain.until is not None:
            self._drain.count(len(chunk), now)
        elif now > self._started + self._settings.total_seconds:
            raise UpstreamFailure(
                "upstream-timeout", "The provider did not finish its answer in time.", status=504
            )
        return chunk

    async def _put(
        self, status: int, headers: list[tuple[bytes, bytes]], body: bytes, *, more: bool = True
    ) -> None:
        """Send bytes to the client, preceded by status and headers if they are the first."""
        try:
            if self._status is None:
                self._status = status
                await self._client.start(status, headers)
            await self._client.write(body, more=more)
        except ClientGone:
            pass  # a disconnected client is noticed at the next check

    async def _from_upstream(self, waiting: Awaitable[_Result], seconds: float) -> _Result:
        """The upstream's result; raises UpstreamFailure after the deadline."""
        before = time.monotonic()
        try:
            return await self._deadline.wait(waiting, seconds)
        except DeadlineExceeded:
            text = "The provider did not answer in time."
            raise UpstreamFailure("upstream-timeout", text, status=504) from None
        finally:
            self._waited += time.monotonic() - before

    # Recording

    def _ending(
        self,
        status: Status,
        error_code: str = "",
        http_status: int | None = None,
        *,
        is_free: bool = False,
    ) -> Ending:
        return Ending(
            status=status,
            http_status=self._status if http_status is None else http_status,
            error_code=error_code,
            answer=self._answer,
            is_free=is_free,
            first_token=self._first_token,
        )

    def _outcome(self, response: UpstreamResponse, reader: object) -> Ending:
        """The outcome of an answer that was read to its end."""
        answer = self._answer
        if answer is None:
            raise AssertionError("an answer that has ended was begun")
        code = response.status
        if code >= 400:
            return self._ending(status_of_code(code), f"upstream-{code}", code, is_free=True)
        if answer.is_error:
            is_free = not answer.text_bytes and answer.usage_so_far is None
            return self._ending(Status.UPSTREAM_ERROR, "upstream-error", code, is_free=is_free)
        if isinstance(reader, BodyReader) and not answer.is_complete:
            self._answer = None
            return self._ending(Status.UPSTREAM_ERROR, "upstream-garbled", code)
        if self._client.has_left():
            return self._ending(Status.CANCELED, "client-gone")
        if not answer.is_complete and not answer.has_finished:
            return self._ending(Status.UPSTREAM_ERROR, "upstream-cut-off", code)
        return self._ending(Status.OK, http_status=code)

    async def _finish(self, exchange: Exchange, ending: Ending) -> None:
        """Record the outcome, once."""
        if exchange.is_settled:
            return
        if self._arrived is not None:
            added = time.monotonic() - self._started - self._waited
            self._metrics.note_times(exchange.operation, self._waited, added)
        self._metrics.note_end(exchange.operation, ending.status)
        if self._route is not None and self._answer is not None:
            self._forwarder.followed.note(exchange, self._route, self._answer)
        await self._gateway.finish(exchange, ending)

    async def _fail(self, exchange: Exchange, failure: UpstreamFailure) -> None:
        """Handle an incomplete answer: report the failure to the client if that is still
        possible.
        """
        if self._client.is_gone:
            ending = self._ending(Status.CANCELED, "client-gone")
        else:
            http_status = self._status or failure.status
            status = Status.GATEWAY_ERROR if failure.is_ours else Status.UPSTREAM_ERROR
            ending = self._ending(status, failure.code, http_status, is_free=failure.is_unsent)
        await self._finish(exchange, ending)
        if self._status is None and not self._client.is_gone:
            await self._say(
                failure.status,
                failure.code,
                failure.message,
                exchange.request_id,
                is_final=failure.is_final,
            )
        # If the answer has begun, the server closes the connection in the middle of it: the only
        # way to show a client that it is incomplete.

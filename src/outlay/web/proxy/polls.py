"""`GET /v1/responses/{id}` and `POST /v1/responses/{id}/cancel`: polling an answer by its id.

A poll is not a model request and is not recorded. The poll that first returns the usage of a queued
answer records that usage for the original request: under a new event id with the same response id,
by which the two are recognised as one.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.types import Receive, Scope, Send

from outlay.domain.errors import OutlayError, Unauthenticated
from outlay.domain.organization import ApiKey
from outlay.domain.provider import find_provider
from outlay.services.gateway.routing import Route
from outlay.web.http.access_log import note_principal, note_route
from outlay.web.proxy.answers import error_response, refusal_response, send_response
from outlay.web.proxy.client import Client, ClientGone
from outlay.web.proxy.credentials import credential_of, secret_header, without_credential
from outlay.web.proxy.deadlines import Deadline, DeadlineExceeded
from outlay.web.proxy.dialects import OPENAI
from outlay.web.proxy.followed import OPERATION, Followed
from outlay.web.proxy.forward import Forwarder
from outlay.web.proxy.headers import listed_by, request_headers, response_headers
from outlay.web.proxy.upstream import UpstreamFailure, UpstreamResponse
from outlay.wire.answer import Answer
from outlay.wire.answer_reader import BodyReader, StreamReader
from outlay.wire.caller import Headers, read_caller
from outlay.wire.openai.responses import RESPONSES

_PATH: Final = re.compile(rb"/v1/responses/([A-Za-z0-9_-]{1,200})(/cancel)?")
ROUTE: Final = "/v1/responses/{response_id}"
_METHODS: Final = {False: "GET", True: "POST"}
MAX_BODY: Final = 64 * 1024
MAX_ASKED: Final = 4
"""Maximum number of upstreams that are asked for an unknown id."""
_SPEAKERS: Final = ("openai", "azure")
"""Providers that are asked first, because the dialect is theirs."""


def polled_id(method: str, raw_path: bytes) -> str:
    """The response id in a poll; empty for any other call."""
    found = _PATH.fullmatch(raw_path)
    if found is None or method != _METHODS[found[2] is not None]:
        return ""
    return found[1].decode()


class Polls:
    """Relays polls. Created in a running event loop."""

    def __init__(self, forwarder: Forwarder) -> None:
        self._forwarder = forwarder
        self._settings = forwarder.settings

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one poll."""
        note_route(scope, ROUTE)
        headers = dict(reversed(scope["headers"]))
        credential = credential_of(headers, scope["query_string"])
        forwarder = self._forwarder
        try:
            api_key = await forwarder.api_keys.authenticate(credential)
            note_principal(scope, api_key)
            await forwarder.gateway.prepare(api_key)
            hops = forwarder.hops.next_hops(headers)
        except OutlayError as error:
            if isinstance(error, Unauthenticated):
                forwarder.refusals.note_credential(credential, scope)
            await send_response(send, refusal_response(OPENAI, error))
            return
        deadline = Deadline(forwarder.sweeper)
        client = Client(receive, send, deadline, self._settings.client_seconds)
        try:
            await _Poll(forwarder, api_key, scope, client, deadline).run(headers, hops)
        except ClientGone:
            pass
        except OutlayError as error:  # the body is too large
            await send_response(send, refusal_response(OPENAI, error))
        finally:
            deadline.end()


class _Poll:
    """One poll being relayed."""

    def __init__(
        self,
        forwarder: Forwarder,
        api_key: ApiKey,
        scope: Scope,
        client: Client,
        deadline: Deadline,
    ) -> None:
        self._forwarder = forwarder
        self._api_key = api_key
        self._scope = scope
        self._client = client
        self._deadline = deadline
        self._response_id = polled_id(scope["method"], scope["raw_path"])
        self._has_begun = False

    async def run(self, headers: Headers, hops: str) -> None:
        """Ask the upstream that has the answer, and relay its response."""
        body = await self._client.read_body(MAX_BODY)
        sent = None if self._scope["method"] == "GET" else body
        asked = self._asked(headers)
        try:
            for at, followed in enumerate(asked):
                async with self._sent(followed.route, headers, sent, hops) as response:
                    if response.status != 404 or at + 1 == len(asked):
                        await self._pass_back(followed, response)
                        return
        except UpstreamFailure as failure:
            if self._has_begun:
                return  # the server closes the connection, because the answer is incomplete
            error_answer = error_response(
                OPENAI, failure.status, failure.code, failure.message, is_final=False
            )
            await self._client.start(error_answer.status, error_answer.headers)
            await self._client.write(error_answer.body, more=False)

    def _asked(self, headers: Headers) -> list[Followed]:
        """The upstreams to ask: the origin of the answer, or all if it is unknown."""
        organization_id = self._api_key.organization_id
        known = self._forwarder.followed.find(organization_id, self._response_id)
        if known is not None:
            return [known]
        exchange = self._forwarder.gateway.begin(
            self._api_key, read_caller(headers), OPERATION, started=0
        )
        found = [
            (find_provider(upstream.provider), upstream, secret)
            for upstream, secret in self._forwarder.gateway.upstreams(organization_id)
        ]
        found.sort(key=lambda entry: entry[0] not in _SPEAKERS)
        return [
            Followed(Route(upstream, secret, "", provider, ""), exchange, is_settled=False)
            for provider, upstream, secret in found[:MAX_ASKED]
        ]

    @asynccontextmanager
    async def _sent(
        self, route: Route, headers: Headers, body: bytes | None, hops: str
    ) -> AsyncIterator[UpstreamResponse]:
        query = without_credential(self._scope["query_string"])
        connection = headers.get(b"connection")
        path = self._scope["raw_path"].decode().removeprefix("/v1")
        sending = self._forwarder.upstreams.send(
            route.upstream.base_url + path + (f"?{query}" if query else ""),
            request_headers(
                self._scope["headers"],
                listed_by(connection) if connection else frozenset(),
                secret_header(route, OPENAI),
            ),
            body,
            hops=hops,
        )
        try:
            response = await self._deadline.wait(sending, self._forwarder.settings.answer_seconds)
        except DeadlineExceeded:
            text = "The provider did not answer in time."
            raise UpstreamFailure("upstream-timeout", text, status=504) from None
        try:
            yield response
        finally:
            response.close()

    async def _pass_back(self, followed: Followed, response: UpstreamResponse) -> None:
        is_stream = response.content_type.startswith("text/event-stream")
        reader = StreamReader(RESPONSES) if is_stream else BodyReader(RESPONSES)
        request_id = followed.exchange.request_id
        headers = response_headers(response.headers, request_id, has_length=not is_stream)
        held = b""
        while chunk := await self._next(response):
            # The end is held back until the usage is recorded.
            held, passed = reader.feed(chunk), held
            if passed:
                await self._begin(response.status, headers)
                await self._client.write(passed, more=True)
        reader.finish()
        await self._settle(followed, reader.answer, response.status)
        await self._begin(response.status, headers)
        await self._client.write(held, more=False)

    async def _next(self, response: UpstreamResponse) -> bytes:
        try:
            return await self._deadline.wait(response.read(), self._forwarder.settings.idle_seconds)
        except DeadlineExceeded:
            text = "The provider did not answer in time."
            raise UpstreamFailure("upstream-timeout", text, status=504) from None

    async def _begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        if not self._has_begun:
            self._has_begun = True
            await self._client.start(status, headers)

    async def _settle(self, followed: Followed, answer: Answer, status: int) -> None:
        """Record the usage unless it is recorded already."""
        if status >= 400 or answer.response_id != self._response_id or answer.is_pending:
            return
        if answer.usage is None or followed.is_settled:
            return
        followed.is_settled = True
        exchange = followed.exchange
        if not exchange.mapping:
            provider = followed.route.provider
            exchange.provider = provider
            exchange.mapping = f"{provider}/{answer.response_model}"
            self._forwarder.followed.put(self._response_id, followed)
        await self._forwarder.gateway.record_later(exchange, answer, status)

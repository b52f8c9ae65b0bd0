"""Clients that disconnect while sending: nothing is recorded, nothing is logged."""

import asyncio
import logging

import pytest
from starlette.types import Message, Scope

from outlay.domain.actor import Scope as TokenScope
from outlay.domain.organization import operator_of
from outlay.services.bundle import Services
from outlay.web.app import Application


@pytest.mark.parametrize("path", ["/v1/usage/events", "/v1/ingest/litellm", "/v1/traces"])
def test_disconnect_during_the_body_is_not_logged_as_an_error(
    services: Services, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    administration = services.administration
    organization = administration.organizations.create("Acme")
    owner = administration.sign_in.set_owner(organization, "me@example.test", "a long password!")
    _, token = administration.tokens.create(
        operator_of(organization),
        description="t",
        scopes=[TokenScope.USAGE_WRITE],
        member_id=owner.member_id,
    )
    sent: list[Message] = []
    coming: list[Message] = [
        {"type": "http.request", "body": b'[{"eventId": "a', "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [
            (b"host", b"localhost"),
            (b"authorization", f"Bearer {token}".encode()),
            (b"content-type", b"application/json"),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 4100),
        "scheme": "http",
        "http_version": "1.1",
    }
    with caplog.at_level(logging.WARNING):
        asyncio.run(Application(services, "operator")(scope, receive, send))

    assert services.ledger.last_seq == 0
    assert caplog.records == []
    assert sent[0]["status"] == 400

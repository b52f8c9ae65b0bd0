"""The log line of a request: what it contains, and what it never contains."""

import asyncio
import logging
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from outlay.domain.actor import Actor, Plan
from outlay.domain.ids import ApiKeyId, MemberId, OrganizationId, ProjectId
from outlay.domain.organization import ApiKey
from outlay.kit.logs import FIELDS
from outlay.web.http.access_log import RECORD, AccessLog, note_principal, note_route

KEY = ApiKey(
    api_key_id=ApiKeyId("key_1"),
    organization_id=OrganizationId("org_1"),
    project_id=ProjectId("prj_1"),
    member_id=MemberId("m"),
    description="d",
)
MEMBER = Actor(
    organization_id=OrganizationId("org_1"),
    organization_name="O",
    plan=Plan.PRO,
    timezone="UTC",
    member_id=MemberId("mem_1"),
)


def serve(
    caplog: pytest.LogCaptureFixture,
    path: str = "/v1/x",
    principal: Actor | ApiKey | None = None,
    status: int = 200,
) -> dict[str, Any]:
    """The fields of the line for a request."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        note_route(scope, path)
        note_principal(scope, principal)
        headers = [(b"x-request-id", b"of-an-upstream"), (b"x-outlay-request-id", b"ours")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"answer"})

    run(AccessLog(app, None))
    fields: dict[str, Any] = getattr(caplog.records[-1], FIELDS)
    return fields


def run(app: AccessLog) -> list[Message]:
    """The messages that an application sends."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError

    scope = {"type": "http", "method": "POST", "raw_path": b"/secret", "path": "/secret"}
    asyncio.run(app(scope, receive, send))
    return sent


def test_a_line_has_route_status_duration_request_id_and_principal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "outlay.access")

    fields = serve(caplog, principal=KEY)

    assert fields.pop("durationMs") >= 0
    assert fields == {
        "requestId": "ours",
        "method": "POST",
        "route": "/v1/x",
        "status": 200,
        "principal": "key:key_1",
        "organizationId": "org_1",
    }
    assert "secret" not in str(fields)


def test_member_is_logged_by_id_and_unknown_caller_not_at_all(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "outlay.access")

    assert serve(caplog, principal=MEMBER)["principal"] == "member:mem_1"
    assert "principal" not in serve(caplog, status=401)


def test_a_request_that_ends_in_an_exception_has_a_line_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "outlay.access")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        run(AccessLog(app, None))

    assert getattr(caplog.records[-1], FIELDS)["status"] == 0


def test_probes_and_static_files_are_logged_at_debug_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "outlay.access")

    for path in ("/healthz", "/metrics", "/static/{release}/{path:path}"):
        serve(caplog, path)

    assert {record.levelno for record in caplog.records} == {logging.DEBUG}


def test_nothing_is_recorded_if_logging_is_off(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "outlay.access")
    seen: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(RECORD in scope)

    run(AccessLog(app, None))

    assert seen == [False]
    assert not caplog.records

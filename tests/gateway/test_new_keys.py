"""Using a key immediately after its creation: the attribution is permanent."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from outlay.domain.actor import Scope
from outlay.domain.event import UsageEvent
from outlay.kit.clock import SystemClock, to_us
from outlay.kit.ids import new_id
from tests.gateway.conftest import Gate, chat_body


@pytest.fixture
def unnoticed(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """A gateway that has everything cached and does not notice changes of the directory."""
    token = gate.access_token([Scope.USAGE_WRITE])
    gate.services.watch.check()
    ingest(gate, token, "/v1/usage/events", native(""))
    gate.post()
    gate.events(2)
    monkeypatch.setattr(gate.services.watch, "check", lambda: None)
    yield gate
    monkeypatch.undo()
    gate.services.watch.check()


def create_key(gate: Gate) -> tuple[str, str]:
    """A key created over HTTP: its id and the key."""
    headers = {"authorization": f"Bearer {gate.access_token(list(Scope))}"}
    body = {"projectId": gate.project.project_id, "description": "new"}
    answer = gate.http.post(f"{gate.url}/api/v1/api-keys", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()["apiKeyId"], answer.json()["key"]


def ingest(gate: Gate, token: str, path: str, body: Any) -> None:
    headers = {"authorization": f"Bearer {token}"}
    answer = gate.http.post(gate.url + path, json=body, headers=headers)
    assert answer.status_code == 200, answer.text


def native(api_key_id: str) -> Any:
    return {
        "eventId": new_id("e"),
        "eventTime": datetime.now(UTC).isoformat(),
        "model": "openai/gpt-5.5",
        "usage": {"inputTokens": 10, "outputTokens": 1},
        "apiKeyId": api_key_id,
    }


def litellm(api_key_id: str) -> Any:
    now = SystemClock().now().timestamp()
    return {
        "litellm_call_id": new_id("call"),
        "id": new_id("chatcmpl"),
        "call_type": "acompletion",
        "status": "success",
        "model": "gpt-5.5",
        "custom_llm_provider": "openai",
        "startTime": now - 1,
        "endTime": now,
        "prompt_tokens": 10,
        "completion_tokens": 1,
        "metadata": {"user_api_key_hash": api_key_id},
    }


def otlp(api_key_id: str) -> Any:
    now_ns = to_us(SystemClock().now()) * 1000
    attributes = {
        "gen_ai.operation.name": {"stringValue": "chat"},
        "gen_ai.provider.name": {"stringValue": "openai"},
        "gen_ai.request.model": {"stringValue": "gpt-5.5"},
        "gen_ai.usage.input_tokens": {"intValue": "10"},
        "gen_ai.usage.output_tokens": {"intValue": "1"},
        "outlay.api_key": {"stringValue": api_key_id},
    }
    span = {
        "traceId": f"{now_ns:032x}",
        "spanId": f"{now_ns % 2**64:016x}",
        "name": "chat",
        "startTimeUnixNano": str(now_ns - 10**9),
        "endTimeUnixNano": str(now_ns),
        "attributes": [{"key": key, "value": value} for key, value in attributes.items()],
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def check_attributed(gate: Gate, event: UsageEvent, api_key_id: str) -> None:
    assert event.api_key_id == api_key_id
    assert event.project_id == gate.project.project_id
    assert event.user_id == event.member_id == gate.member_id


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/usage/events", native),
        ("/v1/ingest/litellm", litellm),
        ("/v1/traces", otlp),
    ],
    ids=["native", "litellm", "otlp"],
)
def test_event_with_a_new_key_is_attributed(unnoticed: Gate, path: str, body: Any) -> None:
    token = unnoticed.access_token([Scope.USAGE_WRITE])
    api_key_id, _ = create_key(unnoticed)
    ingest(unnoticed, token, path, body(api_key_id))
    check_attributed(unnoticed, unnoticed.event(), api_key_id)


def test_request_with_a_new_key_is_attributed(unnoticed: Gate) -> None:
    api_key_id, key = create_key(unnoticed)
    for is_stream in (False, True):
        answer = unnoticed.post(body=chat_body(stream=is_stream), authorization=f"Bearer {key}")
        assert answer.status_code == 200
        check_attributed(unnoticed, unnoticed.event(), api_key_id)

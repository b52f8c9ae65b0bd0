"""Calls that never become requests: unknown paths, wrong methods, invalid keys."""

import logging
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from outlay.web.http.refusals import Refusals
from outlay.web.proxy.endpoints import ENDPOINTS
from outlay.web.proxy.unknown_paths import is_unknown_path
from tests.gateway.conftest import Gate, chat_body

CHAT = "POST /v1/chat/completions"
MESSAGES = "POST /v1/messages"


@pytest.fixture(autouse=True)
def nothing_recorded(gate: Gate) -> Iterator[None]:
    """Check that none of them is recorded."""
    yield
    gate.events(0)


def refused(gate: Gate, reason: str) -> int:
    """The counts in the metrics."""
    text = gate.http.get(f"{gate.url}/metrics").text
    name = f'outlay_calls_refused_total{{reason="{reason}"}} '
    (line,) = [line for line in text.splitlines() if line.startswith(name)]
    return int(float(line.removeprefix(name)))


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("/chat/completions", f"base URL that ends in /v1; the endpoint is {CHAT}."),
        ("/v1/v1/chat/completions", f"a duplicate /v1; the endpoint is {CHAT}."),
        ("/v1/chat/completions/", f"ends in a slash; the endpoint is {CHAT}."),
        ("/openai/v1/chat/completions", f"ends in /v1, not in /openai/v1; the endpoint is {CHAT}."),
        ("/openai/deployments/gpt/chat/completions", f"the endpoint is {CHAT}."),
        ("/v1/chat/completion", f"The closest match is {CHAT}."),
        ("/responses", "the endpoint is POST /v1/responses."),
        ("/v1/files", f"Available: {CHAT}, "),
    ],
)
def test_unknown_path_error_names_the_intended_path(gate: Gate, path: str, advice: str) -> None:
    counted = refused(gate, "unknown_path")
    answer = gate.post(path)
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert error["code"] == "unknown_path"
    assert error["message"].startswith(f"POST {path} is not relayed. ")
    assert advice in error["message"]
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["x-request-id"].startswith("req_")
    assert refused(gate, "unknown_path") == counted + 1


@pytest.mark.parametrize("path", ["/messages", "/v1/v1/messages", "/anthropic/v1/messages"])
def test_unknown_path_error_is_in_the_anthropic_format(gate: Gate, path: str) -> None:
    answer = gate.post(path)
    body = answer.json()
    assert (answer.status_code, body["type"]) == (404, "error")
    assert body["error"]["type"] == "not_found_error"
    assert f"the endpoint is {MESSAGES}." in body["error"]["message"]
    assert body["request_id"] == answer.headers["request-id"]


def test_headers_determine_the_dialect(gate: Gate) -> None:
    claude = gate.post("/v1/files", **{"anthropic-version": "2023-06-01"})
    assert claude.json()["error"]["type"] == "not_found_error"
    gemini = gate.post("/v1beta/models/gemini-2.5-pro:generateContent")
    assert gemini.json()["error"]["status"] == "NOT_FOUND"


def test_libraries_show_the_advice_and_do_not_retry(gate: Gate) -> None:
    counted = refused(gate, "unknown_path")
    with (
        openai.OpenAI(base_url=gate.url, api_key=gate.key) as client,
        pytest.raises(openai.NotFoundError, match="base URL that ends in /v1") as caught,
    ):
        client.chat.completions.create(model="gpt-5.5", messages=[])
    assert caught.value.request_id
    with (
        anthropic.Anthropic(base_url=f"{gate.url}/v1", api_key=gate.key) as claude,
        pytest.raises(anthropic.NotFoundError, match="a duplicate /v1") as heard,
    ):
        claude.messages.create(model="claude-sonnet-5", max_tokens=9, messages=[])
    assert heard.value.request_id
    assert refused(gate, "unknown_path") == counted + 2


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/usage/events", 405),
        ("POST", "/v1/usage/events", 401),
        ("POST", "/v1/traces", 401),
        ("GET", "/nothing/here", 404),
    ],
)
def test_own_paths_are_not_affected(gate: Gate, method: str, path: str, status: int) -> None:
    answer = gate.http.request(method, gate.url + path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_only_provider_paths_are_treated_as_unknown_paths() -> None:
    for path in (*ENDPOINTS, "/models", "/v1/anything", "/v2/chat", "/v1beta/models"):
        assert is_unknown_path(path.encode())
    for path in ("/", "/chat", "/organization/members", "/v1", "/api/v1/exports/report", "/v2/x"):
        assert not is_unknown_path(path.encode())


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/realtime", "/v1/messages"])
def test_websockets_are_answered_426_without_logging(
    gate: Gate, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"connection": "Upgrade", "upgrade": "websocket", **gate.headers}
    answer = gate.http.get(gate.url + path, headers=headers)
    assert (answer.status_code, answer.headers["upgrade"]) == (426, "HTTP/1.1")
    assert "WebSocket" in answer.json()["error"]["message"]
    assert not [r for r in caplog.records if "websocket" in r.getMessage().lower()]


def test_root_answers_probes(gate: Gate) -> None:
    answer = gate.http.head(gate.url + "/")
    assert (answer.status_code, answer.content) == (200, b"")


def test_calls_without_a_valid_key_are_counted(gate: Gate) -> None:
    without, wrong = refused(gate, "no_key"), refused(gate, "wrong_key")
    old = {"authorization": "Bearer otl_old"}
    for path in ("/v1/chat/completions", "/v1/messages"):
        assert gate.http.post(gate.url + path, json=chat_body()).status_code == 401
        assert gate.http.post(gate.url + path, json=chat_body(), headers=old).status_code == 401
    assert gate.http.get(f"{gate.url}/v1/models", headers=old).status_code == 401
    assert gate.http.post(f"{gate.url}/v1/usage/events", headers=old).status_code == 401
    assert refused(gate, "no_key") == without + 2
    assert refused(gate, "wrong_key") == wrong + 4


def test_anthropic_401_has_a_request_id(gate: Gate) -> None:
    with (
        anthropic.Anthropic(base_url=gate.url, api_key="otl_old", max_retries=0) as claude,
        pytest.raises(anthropic.AuthenticationError) as caught,
    ):
        claude.messages.create(model="claude-sonnet-5", max_tokens=9, messages=[])
    body: Any = caught.value.body
    assert body["request_id"] == caught.value.request_id
    assert body["request_id"].startswith("req_")


def test_refused_calls_are_logged_once_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("outlay.web.http.refusals.time.monotonic", lambda: now)
    refusals = Refusals()
    scope = {"method": "POST", "path": "/v1/" + "\n" * 9 + "x" * 500, "client": ("10.0.0.7", 1)}
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            refusals.note_credential("otl_old", scope)
        now += 61
        refusals.note_credential(None, scope)
    first, second = [record.getMessage() for record in caplog.records]
    assert first.startswith("1 call(s) refused")
    assert second.startswith("5 call(s) refused")
    assert "10.0.0.7 (no key)" in second
    assert "\n" not in second
    assert len(second) < 250
    assert "otl_old" not in first


def test_keys_are_accepted_where_other_dialects_send_them(gate: Gate) -> None:
    places: list[dict[str, Any]] = [
        {"headers": {"api-key": gate.key}},
        {"headers": {"x-goog-api-key": gate.key}},
        {"params": {"key": gate.key, "api-version": "v 1"}},
    ]
    for place in places:
        answer = gate.http.post(f"{gate.url}/v1/chat/completions", json=chat_body(), **place)
        assert answer.status_code == 200
        gate.event()
        served = gate.upstream.last
        assert gate.key not in served.path
        assert gate.key not in str(served.headers)
        assert gate.http.get(f"{gate.url}/v1/models", **place).status_code == 200
    assert served.path.endswith("?api-version=v+1") or served.path.endswith("?api-version=v%201")


def test_key_in_the_query_is_not_forwarded(gate: Gate) -> None:
    answer = gate.http.post(
        f"{gate.url}/v1/chat/completions?a=1&%6Bey=AIza-secret&key=&b=%2F",
        json=chat_body(),
        headers=gate.headers,
    )
    assert answer.status_code == 200
    gate.event()
    assert gate.upstream.last.path == "/v1/chat/completions?a=1&b=%2F"

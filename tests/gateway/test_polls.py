"""Polled answers: background responses have their usage once, and polls have none."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from typing_extensions import override

from outlay.bootstrap.installation import open_installation
from outlay.domain.event import Amendment, Status, UsageSource
from outlay.settings import Settings
from tests.gateway.conftest import Gate, serve, set_up, tokens_of
from tests.http_server import serving

USAGE = {
    "input_tokens": 1000,
    "output_tokens": 200,
    "input_tokens_details": {"cached_tokens": 400},
    "total_tokens": 1200,
}
QUEUED = {
    "id": "resp_1",
    "object": "response",
    "model": "gpt-5.5",
    "status": "queued",
    "usage": None,
}
DONE = {**QUEUED, "status": "completed", "usage": USAGE}


class Background(ThreadingHTTPServer):
    """An upstream with slow answers."""

    daemon_threads = True
    answers: dict[str, Any]
    seen: list[tuple[str, str, str]]

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Background
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self._answer()

    def _answer(self) -> None:
        self.server.seen.append((self.command, self.path, self.headers["authorization"]))
        found = self.server.answers.get(f"{self.command} {self.path.partition('?')[0]}")
        body = json.dumps(found or {"error": {"message": "no such response"}}).encode()
        kind = "application/json"
        if "stream=true" in self.path:
            event = {"type": "response.completed", "response": found}
            body, kind = f"data: {json.dumps(event)}\n\n".encode(), "text/event-stream"
        self.send_response(200 if found else 404)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, *_: object) -> None:
        """No output."""


@pytest.fixture(scope="module")
def background() -> Iterator[Background]:
    server = Background(("127.0.0.1", 0), _Handler)
    server.seen = []
    with serving(server):
        yield server


@pytest.fixture(scope="module")
def polled(tmp_path_factory: pytest.TempPathFactory, background: Background) -> Iterator[Gate]:
    data = tmp_path_factory.mktemp("polls") / "data"
    with open_installation(Settings(data=data)) as services, serve(services) as url:
        gate = set_up(services, url, background)  # type: ignore[arg-type]  # it asks for a URL
        yield gate
        gate.http.close()


def ask(gate: Gate, path: str, method: str = "GET", **headers: str) -> Any:
    return gate.http.request(method, gate.url + path, headers={**gate.headers, **headers})


def test_poll_with_usage_records_it_once(polled: Gate, background: Background) -> None:
    background.answers = {"POST /v1/responses": QUEUED, "GET /v1/responses/resp_1": QUEUED}
    sent = {"model": "openai/gpt-5.5", "input": "Hello", "background": True}
    polled.post("/v1/responses", sent, **{"x-outlay-app": "nightly"})
    queued = polled.event()

    early = ask(polled, "/v1/responses/resp_1")
    background.answers["GET /v1/responses/resp_1"] = DONE
    done = [ask(polled, "/v1/responses/resp_1") for _ in range(3)]
    streamed = ask(polled, "/v1/responses/resp_1?stream=true")

    assert (queued.usage_source, queued.response_id) == (UsageSource.UNKNOWN, "resp_1")
    assert (early.json(), [one.json() for one in done]) == (QUEUED, [DONE] * 3)
    assert "response.completed" in streamed.text
    event, voided = polled.events(2)  # once, for all polls
    assert (voided.amends, voided.amendment) == (queued.event_id, Amendment.VOID)
    assert tuple(tokens_of(event))[:3] == (1000, 200, 400)
    assert (event.response_id, event.usage_source) == ("resp_1", UsageSource.PROVIDER)
    assert (event.status, event.duration_us) == (Status.OK, None)
    same = ("event_time_us", "api_key_id", "project_id", "mapping", "app", "operation")
    assert [getattr(event, name) for name in same] == [getattr(queued, name) for name in same]
    assert {secret for _, _, secret in background.seen} == {"Bearer sk-openai-secret-0123456789"}


def test_answer_with_usage_is_not_recorded_again(polled: Gate, background: Background) -> None:
    answer = {**DONE, "id": "resp_2"}
    background.answers = {"POST /v1/responses": answer, "GET /v1/responses/resp_2": answer}
    polled.post("/v1/responses", {"model": "openai/gpt-5.5", "input": "Hello"})
    polled.event()

    assert ask(polled, "/v1/responses/resp_2").json() == answer
    assert polled.services.ledger.last_seq == polled.seen


def test_answer_before_a_restart_is_found_and_recorded_once(
    polled: Gate, background: Background
) -> None:
    background.answers = {"GET /v1/responses/resp_3": {**DONE, "id": "resp_3"}}

    answers = [ask(polled, "/v1/responses/resp_3") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    event = polled.event()
    assert (event.mapping, event.response_id) == ("openai/gpt-5.5", "resp_3")


def test_canceled_answer_has_its_usage(polled: Gate, background: Background) -> None:
    canceled = {**DONE, "id": "resp_4", "status": "cancelled"}
    background.answers = {
        "POST /v1/responses": {**QUEUED, "id": "resp_4"},
        "POST /v1/responses/resp_4/cancel": canceled,
    }
    polled.post("/v1/responses", {"model": "openai/gpt-5.5", "input": "Hi", "background": True})
    polled.event()

    assert ask(polled, "/v1/responses/resp_4/cancel", "POST").json() == canceled
    event, voided = polled.events(2)
    assert (voided.amendment, event.input_tokens) == (Amendment.VOID, 1000)


def test_unknown_or_forbidden_polls_are_refused(polled: Gate, background: Background) -> None:
    background.answers = {}

    missing = ask(polled, "/v1/responses/resp_9")
    stranger = ask(polled, "/v1/responses/resp_9", authorization="Bearer nobody")
    elsewhere = ask(polled, "/v1/responses/resp_9", "DELETE")

    assert missing.status_code == 404
    assert missing.json()["error"]["message"] == "no such response"
    assert stranger.status_code == 401
    assert elsewhere.status_code == 404
    assert "is not relayed" in elsewhere.json()["error"]["message"]
    assert polled.services.ledger.last_seq == polled.seen

"""Upstreams that reject `stream_options`: clients do not notice, and no upstream is tried twice."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from typing_extensions import override

from outlay.domain.event import UsageSource
from outlay.domain.upstream import Upstream
from tests.gateway.conftest import Gate, chat_body
from tests.http_server import serving


class Strict(ThreadingHTTPServer):
    """An upstream that rejects `stream_options` with an error."""

    daemon_threads = True
    bodies: list[dict[str, Any]]
    status = 422
    message = "Extra inputs are not permitted: stream_options"
    always = False


class _Handler(BaseHTTPRequestHandler):
    server: Strict

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.bodies.append(body)
        if "stream_options" in body or self.server.always:
            answer = json.dumps({"error": {"message": self.server.message}}).encode()
            self._send(self.server.status, "application/json", answer)
        else:
            event = b'data: {"choices": [{"delta": {"content": "ok"}, "finish_reason": "stop"}]}'
            self._send(200, "text/event-stream", event + b"\n\ndata: [DONE]\n\n")

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, *_: object) -> None:
        """No output."""


@pytest.fixture
def strict() -> Iterator[Strict]:
    server = Strict(("127.0.0.1", 0), _Handler)
    server.bodies = []
    with serving(server):
        yield server


@pytest.fixture
def mistral(gate: Gate, strict: Strict) -> Iterator[Upstream]:
    created = gate.administration.upstreams.create(
        gate.operator, provider="mistral", base_url=f"http://127.0.0.1:{strict.server_port}/v1"
    )
    gate.services.watch.check()
    yield created
    gate.administration.upstreams.delete(gate.operator, created.upstream_id)
    gate.services.watch.check()


BODY = chat_body(stream=True, model="mistral/mistral-large-latest")


def test_rejected_usage_request_is_retried_without_and_remembered(
    gate: Gate, strict: Strict, mistral: Upstream
) -> None:
    first, second = gate.post(body=BODY), gate.post(body=BODY)

    assert (first.status_code, second.status_code) == (200, 200)
    assert '"content": "ok"' in first.text
    assert ["stream_options" in body for body in strict.bodies] == [True, False, False]
    sources = {event.usage_source for event in gate.events(2)}
    assert sources == {UsageSource.ESTIMATED}


def test_other_errors_are_passed_on(gate: Gate, strict: Strict, mistral: Upstream) -> None:
    strict.message = "no such model" + " " * 100_000

    answer = gate.post(body=BODY)

    assert (answer.status_code, len(strict.bodies)) == (422, 1)
    assert answer.json()["error"]["message"] == strict.message
    assert gate.event().error_code == "upstream-422"


def test_request_that_also_fails_without_it_is_not_remembered(
    gate: Gate, strict: Strict, mistral: Upstream
) -> None:
    strict.always = True

    answers = [gate.post(body=BODY), gate.post(body=BODY)]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert ["stream_options" in body for body in strict.bodies] == [True, False, True, False]
    assert len(gate.events(2)) == 2


def test_client_sent_stream_options_are_not_changed(
    gate: Gate, strict: Strict, mistral: Upstream
) -> None:
    answer = gate.post(body={**BODY, "stream_options": {"include_usage": True}})

    assert (answer.status_code, len(strict.bodies)) == (422, 1)
    gate.event()


def test_upstream_setting_disables_usage_requests(
    gate: Gate, strict: Strict, mistral: Upstream
) -> None:
    gate.administration.upstreams.update(gate.operator, mistral.upstream_id, asks_usage=False)
    gate.services.watch.check()

    assert gate.post(body=BODY).status_code == 200
    assert ["stream_options" in body for body in strict.bodies] == [False]
    gate.event()

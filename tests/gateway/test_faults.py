"""Upstreams that fail in every way: the client gets an error, and one event describes it."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from outlay.domain.event import Status, UsageSource
from outlay.web.proxy import endpoints
from tests.gateway.conftest import PATIENCE, Gate, chat_body, counted, open_gate, tokens_of
from tests.gateway.raw import body_of, connect, read_all, request_bytes
from tests.upstream import Upstream

STREAM = chat_body(stream=True)
WHOLE = chat_body()
CLOSE = "connection: close\r\n"
"""Otherwise the gateway keeps a connection open after an error, for the next request."""

OK, UPSTREAM, CLIENT = Status.OK, Status.UPSTREAM_ERROR, Status.CLIENT_ERROR
PROVIDER, ESTIMATED, UNKNOWN = UsageSource.PROVIDER, UsageSource.ESTIMATED, UsageSource.UNKNOWN


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Gate]:
    """A gateway that gives up on an upstream after a second of silence."""
    proxy = replace(PATIENCE, answer_seconds=1, idle_seconds=1)
    with open_gate(tmp_path_factory.mktemp("impatient") / "data", upstream, proxy) as gate:
        yield gate


def gate_for(script: dict[str, Any], request: pytest.FixtureRequest) -> Gate:
    """The gateway for a scripted fault: the impatient one for an upstream that stalls."""
    gate: Gate = request.getfixturevalue("impatient" if "stall" in script else "gate")
    gate.seen = gate.services.ledger.last_seq
    return gate


@pytest.mark.parametrize("body", [WHOLE, STREAM], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("script", "http_status", "status", "code"),
    [
        ({"reset": "before"}, 502, UPSTREAM, "upstream-cut-off"),
        ({"stall": "before"}, 504, UPSTREAM, "upstream-timeout"),
        ({"raw": "garbage that is not HTTP\r\n\r\n"}, 502, UPSTREAM, "upstream-cut-off"),
        ({"status": 302, "headers": {"location": "/"}}, 502, UPSTREAM, "upstream-redirect"),
        ({"status": 400}, 400, CLIENT, "upstream-400"),
        ({"status": 401}, 401, UPSTREAM, "upstream-401"),
        ({"status": 404}, 404, CLIENT, "upstream-404"),
        ({"status": 422}, 422, CLIENT, "upstream-422"),
        ({"status": 429, "headers": {"retry-after": "7"}}, 429, UPSTREAM, "upstream-429"),
        ({"status": 500}, 500, UPSTREAM, "upstream-500"),
        ({"status": 503}, 503, UPSTREAM, "upstream-503"),
        ({"status": 504, "type": "text/html", "text": "<h1>x"}, 504, UPSTREAM, "upstream-504"),
        ({"status": 200, "text": '{"error": {"message": "no"}}'}, 200, UPSTREAM, "upstream-error"),
        ({"status": 200, "type": "text/html", "text": "<h1>hi"}, 200, UPSTREAM, "upstream-garbled"),
        ({"status": 200, "text": ""}, 200, UPSTREAM, "upstream-garbled"),
        ({"status": 200, "text": "[1, 2]"}, 200, UPSTREAM, "upstream-garbled"),
    ],
)
def test_invalid_answers_are_upstream_errors(
    request: pytest.FixtureRequest,
    body: dict[str, Any],
    script: dict[str, Any],
    http_status: int,
    status: Status,
    code: str,
) -> None:
    gate = gate_for(script, request)
    answer = gate.post(body=body, script=script)

    assert answer.status_code == http_status
    event = gate.event()
    assert (event.status, event.error_code) == (status, code)
    assert event.http_status == http_status
    assert (event.input_tokens, event.output_tokens, event.cost_pusd) == (0, 0, 0)
    if "retry-after" in script.get("headers", {}):
        assert answer.headers["retry-after"] == "7"
    if http_status in {502, 504} and "status" not in script:
        assert answer.json()["error"]["code"] == code.replace("-", "_")


def test_unanswered_requests_have_unknown_usage_and_refused_ones_none(
    gate: Gate,
) -> None:
    gate.post(script={"reset": "before"})
    assert gate.event().usage_source is UNKNOWN
    gate.post(script={"status": 500})
    assert gate.event().usage_source is PROVIDER


def test_unreachable_upstream(gate: Gate) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    for name, url, code in (
        ("gone", f"http://127.0.0.1:{port}/v1", "upstream_unreachable"),
        ("nowhere", "http://no-such-host.invalid/v1", "upstream_unknown_host"),
    ):
        upstream = gate.administration.upstreams.create(gate.operator, provider=name, base_url=url)
        gate.services.watch.check()
        try:
            answer = gate.post(body=chat_body(model=f"{name}/llama"))
        finally:
            gate.administration.upstreams.delete(gate.operator, upstream.upstream_id)
            gate.services.watch.check()
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, code)
        event = gate.event()
        assert (event.status, event.usage_source) == (UPSTREAM, PROVIDER)
        assert event.mapping == f"{name}/llama"


WITHOUT_USAGE = [
    ("missing", None),
    ("null", [['"usage": {', '"usage": null, "x": {']]),
    ("string", [['"usage": {', '"usage": "lots", "x": {']]),
    ("negative", [['"prompt_tokens": 1', '"prompt_tokens": -1']]),
    ("infinite", [['"prompt_tokens": 1', '"prompt_tokens": 1e400, "y": 1']]),
    ("not a number", [['"prompt_tokens": 1', '"prompt_tokens": NaN, "y": 1']]),
    ("a fraction", [['"prompt_tokens": 1', '"prompt_tokens": 1.5, "y": 1']]),
    ("text", [['"prompt_tokens": 1', '"prompt_tokens": "1", "y": 1']]),
    ("beyond 10^9", [['"prompt_tokens": 1', '"prompt_tokens": 10000000001']]),
]


@pytest.mark.parametrize("body", [WHOLE, STREAM], ids=["whole", "stream"])
@pytest.mark.parametrize(("kind", "replacements"), WITHOUT_USAGE, ids=[k for k, _ in WITHOUT_USAGE])
def test_unusable_usage_is_estimated(
    gate: Gate, body: dict[str, Any], kind: str, replacements: list[list[str]] | None
) -> None:
    script: dict[str, Any] = {"usage": "missing"} if replacements is None else {}
    script["replace"] = replacements or []
    answer = gate.post(body=body, script=script)

    assert answer.status_code == 200
    event = gate.event()
    if kind in {"infinite", "not a number"} and body is WHOLE:
        # Not JSON at all: nothing in it can be trusted or parsed.
        assert (event.status, event.usage_source) == (UPSTREAM, UNKNOWN)
        return
    assert (event.status, event.usage_source) == (OK, ESTIMATED)
    # 11 bytes of prompt and the role; five words of 8 bytes each.
    assert event.input_tokens == 4
    assert event.output_tokens == 10
    assert event.cost_pusd > 0


def test_last_of_repeated_counts_is_used(gate: Gate) -> None:
    usage = '"usage": {"prompt_tokens": 1, "completion_tokens": 2}'
    gate.post(script={"replace": [['"usage": {', usage + ', "usage": {']]})
    assert tokens_of(gate.event()) == counted(gate.upstream.last)

    extra = f'data: {{"choices": [], {usage}}}\n\n'
    gate.post(body=STREAM, script={"more": [extra]})
    event = gate.event()
    assert (event.input_tokens, event.output_tokens) == (1, 2)


@pytest.mark.parametrize(
    "script",
    [
        {"no_done": True},
        {"junk": ["trailing junk\n\n", ": and a comment"]},
        {"newline": "\r\n"},
        {"newline": "\r"},
        {"replace": [["word", "w\u2028\u0085\u20ac"]]},
    ],
)
def test_unusual_streams_are_read_and_relayed(gate: Gate, script: dict[str, Any]) -> None:
    body = chat_body(stream=True, stream_options={"include_usage": True})
    answer = gate.post(body=body, script=script)

    assert answer.status_code == 200
    assert tokens_of(gate.event()) == counted(gate.upstream.last)


def test_byte_order_mark_and_invalid_text_are_tolerated(gate: Gate) -> None:
    answer = gate.post(script={"prefix": "\xef\xbb\xbf"})
    assert answer.content.startswith(b"\xef\xbb\xbf{")
    assert tokens_of(gate.event()) == counted(gate.upstream.last)

    gate.post(body=STREAM, script={"more": ["data: \xff\xfe{\n\n", "data: {\n\n"]})
    assert tokens_of(gate.event()) == counted(gate.upstream.last)


def test_answer_cut_after_any_byte_is_incomplete_for_the_client(
    gate: Gate,
) -> None:
    gate.post()
    gate.event()
    for cut in (1, 20, 80, 150, 250, 380):
        with connect(gate) as sock:
            sock.sendall(request_bytes(gate, WHOLE, {"cut": cut}, extra=CLOSE))
            received = read_all(sock)
        event = gate.event()
        assert event.status is UPSTREAM
        assert event.usage_source is not PROVIDER
        assert event.error_code == "upstream-cut-off"
        if received.startswith(b"HTTP/1.1 200"):
            assert body_of(received)[1] is False


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ({"cut": 3}, UPSTREAM),
        ({"cut": 3, "reset": "after"}, UPSTREAM),
        ({"half": True, "no_done": True, "words": 3, "usage": "missing"}, UPSTREAM),
        ({"cut": 3, "stall": "after"}, UPSTREAM),
    ],
)
def test_interrupted_stream_is_estimated_from_its_text(
    request: pytest.FixtureRequest, script: dict[str, Any], status: Status
) -> None:
    gate = gate_for(script, request)
    with connect(gate) as sock:
        sock.sendall(request_bytes(gate, STREAM, script))
        body, is_whole = body_of(read_all(sock))

    assert not is_whole
    assert body.count(b"data: ") >= 3
    event = gate.event()
    assert (event.status, event.usage_source) == (status, ESTIMATED)
    assert event.output_tokens == 6
    assert event.is_stream == 1


def test_wrong_content_length(gate: Gate) -> None:
    with connect(gate) as sock:
        sock.sendall(request_bytes(gate, WHOLE, {"extra_length": 10}))
        received = sock.recv(65536)
    # The short answer was still held back, so it could be withdrawn.
    assert received.startswith(b"HTTP/1.1 502")
    assert gate.event().status is UPSTREAM

    gate.post(script={"extra_length": -10})
    assert gate.event().status is UPSTREAM


def test_error_in_the_middle_of_a_stream(gate: Gate) -> None:
    error = 'data: {"error": {"message": "overloaded", "type": "server_error"}}\n\n'
    answer = gate.post(body=STREAM, script={"more": [error], "usage": "missing"})

    assert "overloaded" in answer.text
    event = gate.event()
    assert (event.status, event.error_code) == (UPSTREAM, "upstream-error")
    assert (event.usage_source, event.output_tokens) == (ESTIMATED, 10)


def test_anthropic_stream_without_final_count_is_estimated(gate: Gate) -> None:
    body = {"model": "claude-sonnet-5", "max_tokens": 9, "messages": [], "stream": True}
    gate.post("/v1/messages", body, {"usage": "missing"})

    event = gate.event()
    served = gate.upstream.last
    assert served.usage is not None
    assert event.usage_source is ESTIMATED
    assert event.cache_read_input_tokens == served.usage["cache_read_input_tokens"]
    assert event.input_tokens == counted(served).input_tokens
    assert event.output_tokens == 10


@pytest.mark.parametrize("is_stream", [False, True])
def test_chunk_size_does_not_matter(gate: Gate, is_stream: bool) -> None:
    body = chat_body(stream=is_stream)
    answer = gate.post(body=body, script={"sizes": [1]})

    assert answer.status_code == 200
    assert tokens_of(gate.event()) == counted(gate.upstream.last)


def test_faults_leave_no_hanging_requests_or_leaks(gate: Gate) -> None:
    for script in ({"reset": "before"}, {"cut": 2}, {"status": 500}, {"half": True}):
        with connect(gate) as sock:
            sock.sendall(request_bytes(gate, STREAM, script, extra=CLOSE))
            read_all(sock)
    gate.events(4)

    metrics = gate.http.get(f"{gate.url}/metrics").text
    assert "outlay_requests_in_flight 0.0" in metrics
    assert "outlay_requests_draining 0.0" in metrics
    assert gate.services.ledger.intents() == []


def test_unusual_headers_are_accepted(gate: Gate) -> None:
    extra = (
        "x-outlay-user: \x80\xff weird\r\nhttp-referer: http://[bad\r\nx-title: \xe9\r\n"
        "user-agent: \xff\xfe\r\nx-outlay-groups: ,,, ,\r\n"
    )
    with connect(gate) as sock:
        head, _, content = request_bytes(gate, WHOLE).partition(b"\r\n\r\n")
        sock.sendall(head + b"\r\n" + extra.encode("latin-1") + b"\r\n" + content)
        received = sock.recv(65536)
    assert received.startswith(b"HTTP/1.1 200")
    assert gate.event().status is OK


def test_internal_error_is_recorded_and_returned_in_provider_format(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(endpoints, "rewrite_json", fail)
    answer = gate.post()

    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    event = gate.event()
    assert (event.status, event.error_code) == (Status.GATEWAY_ERROR, "internal")
    assert gate.services.ledger.intents() == []


def test_invalid_status_is_an_upstream_error(gate: Gate) -> None:
    answer = gate.post(script={"status": 799})
    assert answer.status_code == 502
    assert gate.event().error_code == "upstream-garbled"

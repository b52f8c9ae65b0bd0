"""Clients receive what the upstream sends, byte for byte, however it is split."""

import json
from random import Random
from typing import Any

import pytest

from tests.gateway.conftest import Gate, chat_body, counted, tokens_of

STREAMS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", chat_body(stream=True, stream_options={"include_usage": True})),
    ("/v1/responses", {"model": "gpt-5.5", "input": "hi", "stream": True}),
    ("/v1/messages", {"model": "claude-sonnet-5", "messages": [], "stream": True}),
]


def expected_bytes(gate: Gate) -> bytes:
    """The bytes that the upstream sent for its last request."""
    from tests.upstream import make_answer

    return b"".join(make_answer(gate.upstream.last)[0])


@pytest.mark.parametrize("seed", range(4))
def test_random_chunking_does_not_change_the_stream(gate: Gate, seed: int) -> None:
    random = Random(seed)
    for _ in range(250):
        path, body = random.choice(STREAMS)
        sizes = [random.choice([1, 2, 3, 5, 8, 40, 200]) for _ in range(random.randrange(1, 400))]
        newline = random.choice(["\n", "\r\n", "\r"])
        replacements = [["word", "w\u00e9\u2028\U0001f600"]]
        script = {"sizes": [*sizes, 64], "newline": newline, "replace": replacements}
        answer = gate.post(path, body, script)
        assert answer.content == expected_bytes(gate)
        assert tokens_of(gate.event()) == counted(gate.upstream.last)


def test_hiding_usage_hides_nothing_else(gate: Gate) -> None:
    random = Random(5)
    for _ in range(100):
        sizes = [random.choice([1, 3, 7, 50, 300]) for _ in range(50)]
        newline = random.choice(["\n", "\r\n", "\r"])
        answer = gate.post(
            body=chat_body(stream=True), script={"sizes": [*sizes, 64], "newline": newline}
        )
        from tests.upstream import make_answer

        pieces = make_answer(gate.upstream.last)[0]
        kept = [piece for piece in pieces if b'"choices": []' not in piece]
        assert len(kept) == len(pieces) - 1
        assert answer.content == b"".join(kept)
        assert tokens_of(gate.event()) == counted(gate.upstream.last)


def test_request_bytes_are_unchanged_if_possible(gate: Gate) -> None:
    body = (
        b'{"model": "gpt-5.5",\n "temperature": 0.10000000000000000001, "n": 1, '
        b'"messages": [{"role":"user","content":"\\u00e9 \\ud83d"}], "seed": 123456789012345678901}'
    )
    gate.http.post(f"{gate.url}/v1/chat/completions", content=body, headers=gate.headers)
    assert gate.upstream.last.body == body
    gate.event()


def test_only_model_and_stream_options_are_rewritten(gate: Gate) -> None:
    body = (
        b'{"seed": 123456789012345678901, "model": "openai/gpt-5.5", "stream": true, '
        b'"messages": [{"role":"user","content":"\\u00e9"}], "temperature": 0.10000000000000000001}'
    )
    gate.http.post(f"{gate.url}/v1/chat/completions", content=body, headers=gate.headers)

    sent = gate.upstream.last.body
    assert b'"seed":123456789012345678901' in sent
    assert b'"temperature":0.10000000000000000001' in sent
    assert b'[{"role":"user","content":"\\u00e9"}]' in sent
    assert json.loads(sent)["model"] == "gpt-5.5"
    assert json.loads(sent)["stream_options"] == {"include_usage": True}
    gate.event()


def test_forbidden_headers_are_not_forwarded(gate: Gate) -> None:
    gate.post(
        **{
            "cookie": "session=1",
            "x-forwarded-for": "10.0.0.1",
            "x-forwarded-host": "evil",
            "forwarded": "for=1",
            "x-real-ip": "10.0.0.1",
            "x-api-key": "sk-other",
            "openai-organization": "org-other",
            "x-outlay-user": "somebody",
            "x-litellm-tags": "a",
            "helicone-user-id": "u",
            "connection": "keep-alive, x-private",
            "x-private": "1",
            "te": "trailers",
            "openai-beta": "assistants=v2",
            "accept-encoding": "gzip, br",
        }
    )
    gate.event()

    sent = gate.upstream.last.headers
    assert sent["authorization"] == "Bearer sk-openai-secret-0123456789"
    assert sent["accept-encoding"] == "identity"
    assert sent["openai-beta"] == "assistants=v2"
    assert set(sent) <= {
        "host",
        "authorization",
        "accept-encoding",
        "openai-beta",
        "accept",
        "user-agent",
        "content-type",
        "content-length",
        "x-script",
        "x-outlay-hops",
    }


def test_query_strings_are_forwarded(gate: Gate) -> None:
    body = {"model": "claude-sonnet-5", "messages": []}
    gate.post("/v1/messages?beta=true", body)
    assert gate.upstream.last.path == "/v1/messages?beta=true"
    gate.event()

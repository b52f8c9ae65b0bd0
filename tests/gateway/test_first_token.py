"""Time to first token: only of streamed answers, until the first event with content."""

from typing import Any

import pytest

from outlay.domain.actor import Scope
from tests.gateway.conftest import Gate, chat_body

PAUSE = 0.1
MESSAGE = {"model": "anthropic/claude-sonnet-5", "max_tokens": 9, "messages": []}
RESPONSE = {"model": "openai/gpt-5.5", "input": "hi"}
COMPLETION = {"model": "openai/gpt-3.5-turbo-instruct", "prompt": "hi"}

STREAMS = [
    ("/v1/chat/completions", chat_body(), 1),
    ("/v1/responses", RESPONSE, 1),
    ("/v1/messages", MESSAGE, 3),
    ("/v1/completions", COMPLETION, 0),
]
"""Path, body, and number of events before the first one with content."""


@pytest.mark.parametrize(("path", "body", "before"), STREAMS, ids=[each[0] for each in STREAMS])
def test_time_to_first_token_ends_with_the_first_content(
    gate: Gate, path: str, body: dict[str, Any], before: int
) -> None:
    script = {"pause": PAUSE, "words": 2, "role": path == "/v1/chat/completions"}
    assert gate.post(path, {**body, "stream": True}, script).status_code == 200

    event = gate.event()
    assert event.first_token_us is not None
    assert event.duration_us is not None
    pause_us = PAUSE * 1e6
    assert before * pause_us <= event.first_token_us < event.duration_us - pause_us


def test_event_in_many_chunks_counts_when_complete(gate: Gate) -> None:
    # Cut within the first event with content, which has more than 120 bytes.
    script = {"pause": PAUSE, "sizes": [60, 60, 100_000], "words": 2}
    gate.post(body=chat_body(stream=True), script=script)

    first_us = gate.event().first_token_us
    assert first_us is not None
    assert first_us >= 2 * PAUSE * 1e6


@pytest.mark.parametrize(("path", "body", "before"), STREAMS, ids=[each[0] for each in STREAMS])
def test_unstreamed_answer_has_no_time_to_first_token(
    gate: Gate, path: str, body: dict[str, Any], before: int
) -> None:
    assert gate.post(path, body).status_code == 200
    event = gate.event()
    assert (event.time_to_first_token_us, event.is_stream) == (None, 0)


def test_error_has_no_time_to_first_token(gate: Gate) -> None:
    text = 'data: {"choices":[{"delta":{"content":"no"}}]}\n\n'
    for script in (
        {"status": 500},
        {"status": 429, "type": "text/event-stream", "text": text},
        {"status": 200},
    ):
        gate.post(body=chat_body(stream=True), script=script)
        assert gate.event().time_to_first_token_us is None


def test_averages_cover_streams_only(gate: Gate) -> None:
    before = summary(gate)["streamedRequestCount"]
    gate.post()
    gate.post(body=chat_body(stream=True))
    gate.events(2)
    assert summary(gate)["streamedRequestCount"] == before + 1


def summary(gate: Gate) -> Any:
    gate.services.projection.catch_up()
    headers = {"authorization": f"Bearer {gate.access_token([Scope.USAGE_READ])}"}
    answer = gate.http.get(f"{gate.url}/api/v1/analytics/summary?preset=24h", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["summary"]

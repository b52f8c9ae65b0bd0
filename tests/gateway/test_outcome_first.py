"""A client that has seen the end of an answer finds it recorded: the end waits for the disk."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.gateway.conftest import Gate, chat_body, counted, tokens_of

HELD_SECONDS = 0.4
"""How long the ledger is held back while a client reads; an end that was passed on takes
milliseconds."""


class HeldLedger:
    """Holds back the commits with outcomes until it is released."""

    def __init__(self, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_waiting = threading.Event()
        self._go_on = threading.Event()
        commit: Any = gate.services.ledger.commit

        def held(events: Any, *work: Any) -> Any:
            if events:
                self.is_waiting.set()
                self._go_on.wait(30)
            return commit(events, *work)

        monkeypatch.setattr(gate.services.ledger, "commit", held)

    def release(self) -> None:
        """Let all commits through."""
        self._go_on.set()


@pytest.fixture
def held(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldLedger]:
    ledger = HeldLedger(gate, monkeypatch)
    yield ledger
    ledger.release()


class Reader:
    """A client that reads an answer in a thread and stores what it received."""

    def __init__(self, gate: Gate, path: str, body: dict[str, Any], script: Any) -> None:
        self.received = b""
        self.is_over = False
        self._url, self._body = gate.url + path, body
        self._headers = {**gate.headers, "x-script": json.dumps(script)}
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with httpx.stream(
            "POST", self._url, json=self._body, headers=self._headers, timeout=30
        ) as answer:
            for piece in answer.iter_raw():
                self.received += piece
        self.is_over = True

    def join(self) -> bytes:
        """The complete answer."""
        self._thread.join(30)
        assert self.is_over
        return self.received


MESSAGES = {"model": "claude-sonnet-5", "max_tokens": 64, "messages": [{"role": "user"}]}
RESPONSES = {"model": "gpt-5.5", "input": "Hello"}


@pytest.mark.parametrize(
    ("path", "body", "end"),
    [
        ("/v1/chat/completions", chat_body(stream=True), b"[DONE]"),
        ("/v1/messages", {**MESSAGES, "stream": True}, b"message_stop"),
        ("/v1/responses", {**RESPONSES, "stream": True}, b"response.completed"),
        ("/v1/chat/completions", chat_body(), b"}"),
        ("/v1/messages", MESSAGES, b"}"),
    ],
    ids=["chat stream", "messages stream", "responses stream", "chat", "messages"],
)
def test_end_of_an_answer_waits_for_its_outcome_on_disk(
    gate: Gate, held: HeldLedger, path: str, body: dict[str, Any], end: bytes
) -> None:
    reader = Reader(gate, path, body, {"pause": 0.01})
    assert held.is_waiting.wait(20)
    time.sleep(HELD_SECONDS)

    assert not reader.is_over
    assert not reader.received.rstrip().endswith(end)
    assert end == b"}" or end not in reader.received
    held.release()
    assert end in reader.join()
    assert tokens_of(gate.event()) == counted(gate.upstream.last)


def test_stream_without_end_marker_waits_for_its_outcome(gate: Gate, held: HeldLedger) -> None:
    script = {"pause": 0.01, "no_done": True}
    reader = Reader(gate, "/v1/chat/completions", chat_body(stream=True), script)
    assert held.is_waiting.wait(20)
    time.sleep(HELD_SECONDS)

    assert reader.received
    assert not reader.is_over
    held.release()
    reader.join()
    gate.event()

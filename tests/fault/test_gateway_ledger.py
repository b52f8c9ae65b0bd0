"""A ledger that cannot write: requests are refused before the provider is called, and it recovers
by itself."""

from pathlib import Path
from typing import Any

import pysqlite3
import pytest
from tests.gateway.conftest import Gate, chat_body, counted, open_gate, tokens_of
from tests.upstream import running_upstream

from outlay.domain.actor import Scope
from outlay.storage.ledger.store import Ledger


class FullDisk:
    """Makes commits fail like a full disk, while it is active."""

    def __init__(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        commit = ledger.commit

        def fail(*work: Any) -> Any:
            if self.is_full:
                raise pysqlite3.OperationalError("database or disk is full")
            return commit(*work)

        monkeypatch.setattr(ledger, "commit", fail)


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_upstream() as upstream, open_gate(tmp_path / "data", upstream) as gate:
        disk = FullDisk(gate.services.ledger, monkeypatch)
        gate.post()
        gate.event()
        gate.services.projection.catch_up()
        disk.is_full = True
        check_refused(gate)
        check_reads(gate)
        disk.is_full = False
        assert gate.post().status_code == 200
        gate.event()


def check_refused(gate: Gate) -> None:
    called = len(gate.upstream.served)
    for path, body in (
        ("/v1/chat/completions", chat_body()),
        ("/v1/chat/completions", chat_body(stream=True)),
        ("/v1/messages", {"model": "claude-sonnet-5", "messages": []}),
    ):
        answer = gate.post(path, body)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert "not writable" in answer.json()["error"]["message"]
    assert len(gate.upstream.served) == called


def check_reads(gate: Gate) -> None:
    token = gate.access_token([Scope.USAGE_READ])
    headers = {"authorization": f"Bearer {token}"}
    answer = gate.http.get(f"{gate.url}/api/v1/analytics/summary", headers=headers)
    assert answer.status_code == 200


def test_outcome_that_cannot_be_written_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_upstream() as upstream, open_gate(tmp_path / "data", upstream) as gate:
        disk = FullDisk(gate.services.ledger, monkeypatch)
        with gate.http.stream(
            "POST",
            f"{gate.url}/v1/chat/completions",
            json=chat_body(stream=True),
            headers={**gate.headers, "x-script": '{"pause": 0.1}'},
        ) as answer:
            disk.is_full = True
            text = answer.read().decode()
        assert text.endswith("data: [DONE]\n\n")
        assert gate.services.gateway.intents.overdue == 1
        assert gate.http.get(f"{gate.url}/readyz").status_code == 503
        assert gate.post().status_code == 503
        disk.is_full = False
        event = gate.event()
        assert gate.http.get(f"{gate.url}/readyz").status_code == 200
        assert gate.post().status_code == 200
    assert tokens_of(event) == counted(upstream.served[0])

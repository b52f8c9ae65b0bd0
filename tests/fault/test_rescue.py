"""A ledger that failed permanently: outcomes in flight go to a file that the next start reads."""

import json
import resource
import signal
import threading
from pathlib import Path
from typing import Any

import httpx
import pysqlite3
import pytest
from tests.factories import make_event
from tests.fault.test_gateway_kill import set_up, stored
from tests.gateway.conftest import chat_body, counted, open_gate, tokens_of
from tests.program import command, kill_group, start, wait_for_server
from tests.upstream import running_upstream

from outlay.domain.errors import Damaged
from outlay.domain.event import UsageEvent
from outlay.domain.ids import OrganizationId
from outlay.services.recording.recorder import Recorder
from outlay.storage.ledger.rescue import RescueFile

EVENTS = [make_event() for _ in range(8)]


def test_outcomes_in_flight_survive_an_io_error_and_a_restart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_upstream() as upstream:
        key = set_up(data, upstream)
        server = start("serve", "--data", data, "--port", "0")
        try:
            url = wait_for_server(data, server)["url"]
            texts: list[str] = []
            clients = [
                threading.Thread(target=lambda: texts.append(read_stream(url, key)))
                for _ in range(5)
            ]
            for client in clients:
                client.start()
            wait_until(lambda: len(upstream.served) == 5)
            # The write-ahead log cannot grow any more: a write beyond the limit is an I/O error.
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (16_384, resource.RLIM_INFINITY))
            for client in clients:
                client.join()
            assert httpx.get(f"{url}/readyz").status_code == 503
            server.send_signal(signal.SIGTERM)
            _, errors = server.communicate(timeout=60)
        finally:
            kill_group(server)
    assert all(text.endswith("data: [DONE]\n\n") for text in texts)
    assert server.returncode == 3
    assert "disk I/O error" in errors
    assert (data / "rescue.jsonl").stat().st_size > 0

    events = stored(data)
    assert {tokens_of(event) for event in events} == {counted(served) for served in upstream.served}
    assert len(events) == 5
    assert not (data / "rescue.jsonl").exists()
    assert command("verify", "--data", data).returncode == 0


def read_stream(url: str, key: str) -> str:
    """A complete streamed answer."""
    answer = httpx.post(
        f"{url}/v1/chat/completions",
        json=chat_body(stream=True),
        headers={"authorization": f"Bearer {key}", "x-script": '{"pause": 0.3}'},
        timeout=60,
    )
    return answer.text


def test_waiting_outcomes_are_rescued_when_the_ledger_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_upstream() as upstream:
        with open_gate(tmp_path / "data", upstream) as gate:
            why = ["database or disk is full"]
            commit = gate.services.ledger.commit

            def fail(*work: Any) -> Any:
                if why:
                    raise pysqlite3.OperationalError(why[0])
                return commit(*work)

            with gate.http.stream(
                "POST",
                f"{gate.url}/v1/chat/completions",
                json=chat_body(stream=True),
                headers={**gate.headers, "x-script": '{"pause": 0.1}'},
            ) as answer:
                monkeypatch.setattr(gate.services.ledger, "commit", fail)
                answer.read()
            assert gate.services.gateway.intents.overdue == 1
            why[0] = "disk I/O error"
            wait_until(lambda: gate.services.gateway.intents.overdue == 0)
            monkeypatch.undo()
        events = stored(tmp_path / "data")
    assert [tokens_of(event) for event in events] == [counted(upstream.served[0])]


def wait_until(is_so: Any) -> None:
    """Wait for something in another thread or process."""
    waiting = threading.Event()
    for _ in range(200):
        if is_so():
            return
        waiting.wait(0.05)
    raise AssertionError("it did not happen")


def test_request_without_a_computable_outcome_has_unknown_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_upstream() as upstream, open_gate(tmp_path / "data", upstream) as gate:
        event_of = Recorder.event

        def fail(self: Recorder, organization_id: str, report: Any, latest_us: int) -> UsageEvent:
            if report.usage is not None:
                raise OSError(24, "Too many open files")
            return event_of(self, OrganizationId(organization_id), report, latest_us)

        monkeypatch.setattr(Recorder, "event", fail)
        assert gate.post().status_code == 200
        event = gate.event()
        assert gate.services.ledger.intents() == []
    assert (event.usage_source, event.cost_source) == ("unknown", "unpriced")


def test_request_is_settled_after_its_outcome_is_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt to record fails; the gateway's own error is recorded."""
    with running_upstream() as upstream, open_gate(tmp_path / "data", upstream) as gate:
        event_of, failures = Recorder.event, [1, 2]

        def fail(self: Recorder, organization_id: str, report: Any, latest_us: int) -> UsageEvent:
            if failures:
                failures.pop()
                raise OSError(24, "Too many open files")
            return event_of(self, OrganizationId(organization_id), report, latest_us)

        monkeypatch.setattr(Recorder, "event", fail)
        gate.post()
        assert gate.event().error_code == "internal"
        assert gate.services.ledger.intents() == []


@pytest.fixture
def rescue(tmp_path: Path) -> RescueFile:
    """A new rescue file."""
    return RescueFile(tmp_path / "rescue.jsonl")


def test_rescue_file_round_trips(rescue: RescueFile) -> None:
    events = [EVENTS[1], EVENTS[2], EVENTS[3]]
    assert rescue.append(events[:2])
    assert rescue.append(events[2:])
    assert rescue.read() == events
    rescue.clear()
    assert rescue.read() == []


@pytest.mark.parametrize("cut", [1, 2, 20, 300])
def test_incomplete_line_affects_no_other(rescue: RescueFile, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "rescue.jsonl"
    rescue.append([EVENTS[1], EVENTS[2]])
    content = path.read_bytes()
    path.write_bytes(content[:-cut])
    assert rescue.read() == [EVENTS[1]]
    again = RescueFile(path)
    again.append([EVENTS[3]])
    expected = [EVENTS[1], EVENTS[3]]
    if cut == 1:  # only the end of the line was missing
        expected.insert(1, EVENTS[2])
    assert again.read() == expected


def test_changed_line_is_refused(rescue: RescueFile, tmp_path: Path) -> None:
    path = tmp_path / "rescue.jsonl"
    rescue.append([EVENTS[1], EVENTS[2]])
    fields = path.read_bytes()
    path.write_bytes(fields.replace(b'"input_tokens":', b'"input_tokens":9', 1))
    with pytest.raises(Damaged, match="Line 1"):
        rescue.read()


def test_events_the_disk_refuses_are_logged(
    rescue: RescueFile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", fail)
    assert not rescue.append([EVENTS[7]])
    monkeypatch.undo()
    logged = caplog.records[-1].getMessage().partition("{")[2]
    assert json.loads("{" + logged)["event_id"] == EVENTS[7].event_id

"""Whatever signal stops a server, running answers are finished and recorded."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from tests.fault.test_gateway_kill import set_up, stored
from tests.gateway.conftest import chat_body, counted, tokens_of
from tests.postgres import Cluster
from tests.program import kill_group, start, wait_for_server
from tests.upstream import Upstream, running_upstream

from outlay.domain.event import Status

STOPPING = [
    signal.SIGHUP,
    *(pytest.param(each, marks=pytest.mark.long) for each in (signal.SIGTERM, signal.SIGINT)),
]


def read_while(url: str, key: str, act: Callable[[], None]) -> str:
    """A streamed answer, with an action in the middle of it."""
    with httpx.stream(
        "POST",
        f"{url}/v1/chat/completions",
        json=chat_body(stream=True),
        headers={"authorization": f"Bearer {key}", "x-script": json.dumps({"pause": 0.15})},
        timeout=30,
    ) as answer:
        assert answer.status_code == 200
        parts = answer.iter_text()
        text = next(parts)
        act()
        return text + "".join(parts)


def check_on_record(data: Path, upstream: Upstream, count: int = 1) -> None:
    events = stored(data)
    assert len(events) == len(upstream.served) == count
    assert [event.status for event in events] == [Status.OK] * count
    assert {tokens_of(event) for event in events} == {counted(each) for each in upstream.served}


@pytest.mark.parametrize("number", STOPPING)
def test_stream_in_progress_finishes_and_is_recorded(
    tmp_path: Path, number: signal.Signals
) -> None:
    data = tmp_path / "data"
    with running_upstream() as upstream:
        key = set_up(data, upstream)
        server = start("serve", "--data", data, "--port", "0")
        check_ends_well(server, number, data, key)
        check_on_record(data, upstream)


def check_ends_well(
    server: subprocess.Popen[str], number: signal.Signals, data: Path, key: str
) -> str:
    """Stop a server in the middle of an answer; returns what it wrote to standard error."""
    try:
        url = wait_for_server(data, server)["url"]
        text = read_while(url, key, lambda: server.send_signal(number))
        _, errors = server.communicate(timeout=60)
    finally:
        kill_group(server)
    assert text.endswith("data: [DONE]\n\n")
    assert server.returncode == 0
    assert "Traceback" not in errors
    return errors


def as_under_nohup() -> None:
    """Ignore the signals that `nohup` ignores, but not those of a shell's background job."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def test_signals_have_the_documented_effects(tmp_path: Path) -> None:
    """Stacks on demand, rotated logs, a closed terminal under `nohup`; then Ctrl-\\."""
    data = tmp_path / "data"
    with running_upstream() as upstream:
        key = set_up(data, upstream)
        server = start("serve", "--data", data, "--port", "0", preexec_fn=as_under_nohup)

        def send() -> None:
            for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
                server.send_signal(number)
                time.sleep(0.05)

        try:
            text = read_while(wait_for_server(data, server)["url"], key, send)
        except BaseException:
            kill_group(server)
            raise
        assert text.endswith("data: [DONE]\n\n")
        assert "Current thread" in check_ends_well(server, signal.SIGQUIT, data, key)
        check_on_record(data, upstream, 2)


@pytest.mark.long
def test_workers_stop_gracefully_when_the_terminal_closes(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The signal then reaches the whole process group."""
    monkeypatch.setenv("OUTLAY_DATABASE_URL", cluster.create_database())
    data = tmp_path / "data"
    with running_upstream() as upstream:
        key = set_up(data, upstream)
        server = start("serve", "--data", data, "--port", "0", "--workers", "2")
        try:
            url = wait_for_server(data, server)["url"]
            text = read_while(url, key, lambda: os.killpg(server.pid, signal.SIGHUP))
            _, errors = server.communicate(timeout=60)
        finally:
            kill_group(server)
        assert text.endswith("data: [DONE]\n\n")
        assert server.returncode == 0
        assert "Traceback" not in errors
        check_on_record(data, upstream)

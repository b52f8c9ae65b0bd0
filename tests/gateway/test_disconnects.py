"""Clients that disconnect: the answer is read to its end and counted like the upstream counts
it."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from outlay.bootstrap.installation import open_installation
from outlay.domain.event import Status, UsageSource
from outlay.settings import Settings
from tests.gateway.conftest import (
    PATIENCE,
    Gate,
    chat_body,
    counted,
    open_gate,
    serve,
    set_up,
    tokens_of,
)
from tests.gateway.raw import connect, read_all, receive, request_bytes, reset
from tests.upstream import Upstream

WORDS = 50


def leave_after(gate: Gate, chunks: int, *, how: str) -> None:
    """Read this many events of a stream of 50, then disconnect."""
    script = {"words": WORDS, "pause": 0.002}
    sock = connect(gate)
    sock.sendall(request_bytes(gate, chat_body(stream=True), script))
    received = b""
    while received.count(b"data: ") < chunks:
        received += receive(sock)
    if how == "reset":
        reset(sock)
    else:
        sock.close()


@pytest.mark.parametrize("how", ["close", "reset"])
def test_disconnect_after_any_of_fifty_chunks_is_counted_in_full(gate: Gate, how: str) -> None:
    counts = range(WORDS + 1)
    for start in range(0, len(counts), 17):
        batch = counts[start : start + 17]
        threads = [
            threading.Thread(target=leave_after, args=(gate, k), kwargs={"how": how}) for k in batch
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    events = {event.response_id: event for event in gate.events(len(counts))}

    # A client that disconnects at once may be gone before the upstream is called; that is a
    # request, too.
    unsent = events.pop("", None)
    assert unsent is None or (unsent.status is Status.CANCELED and unsent.cost_pusd == 0)
    assert len(gate.upstream.served) == len(events) >= len(counts) - 1
    for served in gate.upstream.served:
        event = events[served.response_id]
        assert tokens_of(event) == counted(served)
        assert event.usage_source is UsageSource.PROVIDER
        assert event.status in {Status.CANCELED, Status.OK}
    canceled = sum(event.status is Status.CANCELED for event in events.values())
    assert canceled >= WORDS - 5


def test_disconnect_before_the_answer_is_counted_in_full(gate: Gate) -> None:
    sock = connect(gate)
    sock.sendall(request_bytes(gate, chat_body(), {"stall": "before", "seconds": 0.4}))
    time.sleep(0.1)
    sock.close()

    event = gate.event()
    assert event.status is Status.CANCELED
    assert tokens_of(event) == counted(gate.upstream.last)


def test_disconnect_during_the_request_calls_no_provider(gate: Gate) -> None:
    sock = connect(gate)
    sock.sendall(request_bytes(gate)[:-20])
    time.sleep(0.1)
    sock.close()

    event = gate.event()
    assert (event.status, event.cost_pusd) == (Status.CANCELED, 0)
    assert gate.upstream.served == []


def test_draining_is_bounded_by_count(folder: Path, upstream: Upstream) -> None:
    proxy = replace(PATIENCE, max_drains=0)
    with open_gate(folder, upstream, proxy) as gate:
        leave_after(gate, 10, how="reset")
        event = gate.event()

    assert event.status is Status.CANCELED
    assert event.usage_source is UsageSource.ESTIMATED
    assert 10 <= event.output_tokens < 120


def test_draining_is_bounded_by_time(folder: Path, upstream: Upstream) -> None:
    proxy = replace(PATIENCE, drain_seconds=0.3)
    with open_gate(folder, upstream, proxy) as gate:
        sock = connect(gate)
        script = {"words": 5000, "pause": 0.01}
        sock.sendall(request_bytes(gate, chat_body(stream=True), script))
        receive(sock)
        sock.close()
        event = gate.event()

    assert (event.status, event.usage_source) == (Status.CANCELED, UsageSource.ESTIMATED)
    deadline = time.monotonic() + 5
    while upstream.open_connections and time.monotonic() < deadline:
        time.sleep(0.05)
    assert upstream.last.sent < 1000


def test_client_that_reads_nothing_counts_as_disconnected(folder: Path, upstream: Upstream) -> None:
    proxy = replace(PATIENCE, client_seconds=0.5)
    with open_gate(folder, upstream, proxy) as gate:
        sock = connect(gate, receive_buffer=4096)
        script = {"words": 40_000}
        sock.sendall(request_bytes(gate, chat_body(stream=True), script))
        event = gate.event()
        sock.close()

    assert event.status is Status.CANCELED
    assert tokens_of(event) == counted(upstream.last)


def test_shutdown_lets_streams_finish_and_settles_the_rest(
    folder: Path, upstream: Upstream
) -> None:
    settings = Settings(data=folder, proxy=replace(PATIENCE, grace_seconds=5))
    with open_installation(settings) as services:
        serving = serve(services)
        with serving as url:
            gate = set_up(services, url, upstream)
            short, long = connect(gate), connect(gate)
            body = chat_body(stream=True)
            short.sendall(request_bytes(gate, body, {"words": 20, "pause": 0.02}))
            long.sendall(request_bytes(gate, body, {"words": 5000, "pause": 0.02}))
            receive(short, 10)
            receive(long, 10)
            gate.http.close()
        finished = read_all(short)
        short.close()
        long.close()
    with open_installation(settings) as services:
        gate.services = services
        events = sorted(gate.events(2), key=lambda event: event.status)
        assert services.ledger.intents() == []

    assert finished.endswith(b"0\r\n\r\n")
    stopped, ended = events
    assert (ended.status, ended.usage_source) == (Status.OK, UsageSource.PROVIDER)
    assert (stopped.status, stopped.error_code) == (Status.GATEWAY_ERROR, "gateway-stopped")
    assert stopped.usage_source is UsageSource.ESTIMATED
    assert stopped.output_tokens > 20

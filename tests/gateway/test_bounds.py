"""Limits of the gateway: floods, compression bombs, slow readers, malformed requests."""

import gzip
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from outlay.domain.event import Status, UsageSource
from outlay.wire.call import MAX_REQUEST_BYTES
from tests.gateway.conftest import PATIENCE, Gate, chat_body, open_gate
from tests.gateway.raw import connect, read_all, receive, request_bytes
from tests.upstream import Upstream

MIB = 1024 * 1024


def resident_bytes() -> int:
    """Resident memory of this process, which includes the gateway."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_oversized_body_is_413_before_it_is_buffered(gate: Gate) -> None:
    gate.post()
    gate.event()
    before = resident_bytes()
    with connect(gate) as sock:
        sock.sendall(
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gate.key}"
            f"\r\ncontent-length: {100 * MIB}\r\n\r\n".encode()
        )
        assert sock.recv(1000).startswith(b"HTTP/1.1 413")
    assert (gate.event().status, gate.upstream.served[1:]) == (Status.CLIENT_ERROR, [])
    with connect(gate) as sock:
        sock.sendall(
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gate.key}"
            "\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        )
        piece = b"100000\r\n" + bytes(MIB) + b"\r\n"
        try:
            for _ in range(MAX_REQUEST_BYTES // MIB + 2):
                sock.sendall(piece)
        except OSError:
            pass  # the gateway has disconnected
        assert sock.recv(1000).startswith(b"HTTP/1.1 413")
    assert gate.event().error_code == "body-too-large"
    assert resident_bytes() - before < 64 * MIB


def test_compressed_request_bodies_are_refused(gate: Gate) -> None:
    bomb = gzip.compress(bytes(64 * MIB))
    headers = {**gate.headers, "content-encoding": "gzip"}
    answer = gate.http.post(f"{gate.url}/v1/chat/completions", content=bomb, headers=headers)
    assert answer.status_code == 415
    assert gate.event().error_code == "encoded-body"


def test_compressed_answers_are_relayed(gate: Gate) -> None:
    bomb = gzip.compress(bytes(32 * MIB))
    raw = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n"
        f"content-length: {len(bomb)}\r\n\r\n"
    ) + bomb.decode("latin-1")
    script = {"raw": raw}
    before = resident_bytes()
    with connect(gate) as sock:
        # Too long for a header: the upstream finds its instructions in the body.
        sock.sendall(request_bytes(gate, {**chat_body(), "script": script}))
        received = read_until(sock, len(bomb))
    assert received.endswith(bomb)
    assert resident_bytes() - before < 16 * MIB
    event = gate.event()
    assert (event.status, event.usage_source) == (Status.OK, UsageSource.UNKNOWN)


def read_until(sock: socket.socket, length: int) -> bytes:
    """The answer, once its body has this many bytes."""
    received = b""
    while len(received.partition(b"\r\n\r\n")[2]) < length:
        received += receive(sock, 65536)
    return received


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed_json"),
        (b"{", "malformed_json"),
        (b"[]", "invalid_body"),
        (b'"x"', "invalid_body"),
        (b"{}", "model_required"),
        (b'{"model": ""}', "model_required"),
        (b'{"model": 7}', "model_required"),
        (b'{"model": "a", "model": "b"}', "duplicate_member"),
        (b'{"model": "gpt-5.5", "stream": true, "stream": false}', "duplicate_member"),
        (b"[" * 100_000, "invalid_body"),
        (b'{"model": "gpt-5.5", "x": ' + b"[" * 100_000, "malformed_json"),
        (b'{"model": "gpt-5.5", "messages": [{"model": "x"}, {"model": "y"}]}', None),
    ],
)
def test_invalid_bodies_are_refused(gate: Gate, body: bytes, code: str | None) -> None:
    started = time.monotonic()
    answer = gate.http.post(f"{gate.url}/v1/chat/completions", content=body, headers=gate.headers)
    assert time.monotonic() - started < 1
    event = gate.event()
    if code is None:
        assert answer.status_code in {200, 400}
        return
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert (event.status, event.http_status) == (Status.CLIENT_ERROR, 400)
    assert gate.upstream.served == []


@pytest.mark.parametrize("size", [70_000, 1_000_000])
def test_oversized_headers_are_431(gate: Gate, size: int) -> None:
    with connect(gate) as sock:
        with suppress(OSError):  # the gateway disconnects in the middle of it
            sock.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: " + b"a" * size + b"\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 431")


def test_too_many_headers_are_431(gate: Gate) -> None:
    many = b"".join(b"x-%d: 1\r\n" % number for number in range(300))
    with connect(gate) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + many + b"\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 431")


BODY = '{"model":"openai/gpt-5.5","messages":[]}'
CORPUS = [
    "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "content-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    "content-length: -1\r\n\r\n",
    "content-length: 5 5\r\n\r\nhello",
    "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
    "transfer-encoding: xchunked\r\n\r\n",
    "bad header\r\n\r\n",
    "x:\x00y\r\n\r\n",
    " folded: 1\r\n more\r\n\r\n",
    "x: 1\n\n",
    f"host: y\r\ncontent-length: {len(BODY)}\r\n\r\n{BODY}",
]


@pytest.mark.parametrize("rest", CORPUS)
def test_ambiguous_requests_get_at_most_one_error_response(gate: Gate, rest: str) -> None:
    with connect(gate) as sock:
        sock.settimeout(2)
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-api-key: {gate.key}\r\n"
        sock.sendall((head + rest).encode("latin-1"))
        try:
            received = read_all(sock)
        except TimeoutError:
            received = b""
    assert received.count(b"HTTP/1.1 ") <= 1
    assert b" 200 " not in received
    assert gate.upstream.served == []
    wait_until_idle(gate)


def wait_until_idle(gate: Gate) -> None:
    """Wait until started requests are recorded, so that the next test does not find them."""
    deadline = time.monotonic() + 15
    while "outlay_requests_in_flight 0.0" not in gate.http.get(f"{gate.url}/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_ambiguity_is_the_only_fault_of_these_requests(gate: Gate) -> None:
    """The same request without the ambiguity is accepted."""
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-api-key: {gate.key}\r\n"
    with connect(gate) as sock:
        sock.sendall(f"{head}content-length: {len(BODY)}\r\n\r\n{BODY}".encode())
        assert sock.recv(100).startswith(b"HTTP/1.1 200 ")
    gate.event()


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat%2Fcompletions",
        "/v1/../v1/chat/completions",
        "/v1/chat/completions/",
        "/v1//chat/completions",
        "/v1/chat/completions;x",
        "http://evil.example/v1/chat/completions",
        "/V1/CHAT/COMPLETIONS",
    ],
)
def test_only_exact_paths_are_relayed(gate: Gate, path: str) -> None:
    with connect(gate) as sock:
        sock.sendall(request_bytes(gate, path=path))
        status = sock.recv(100).split(b" ")[1]
    if gate.upstream.served:
        # An absolute form has another name for this server: it is served all the same, and goes
        # nowhere else.
        assert path.startswith("http://")
        gate.event()
    else:
        assert status in {b"400", b"404", b"405", b"421"}


def test_hundred_slow_readers_do_not_increase_memory(folder: Path, upstream: Upstream) -> None:
    # Nobody is to be given up for being slow, however busy the machine is.
    proxy = replace(
        PATIENCE,
        connect_seconds=300,
        client_seconds=300,
        idle_seconds=300,
        answer_seconds=300,
        drain_bytes=MIB,
    )
    with open_gate(folder, upstream, proxy) as gate:
        gate.post()
        gate.event()
        readers = [connect(gate, receive_buffer=4096) for _ in range(100)]
        before = resident_bytes()
        # 10 MiB each, read at most 1 KiB at a time.
        request = request_bytes(gate, chat_body(stream=True), {"flood": 10 * MIB})
        for reader in readers:
            reader.sendall(request)
        peak = 0
        for _ in range(15):
            for reader in readers:
                assert reader.recv(1024)
            peak = max(peak, resident_bytes() - before)
        for reader in readers:
            reader.close()
        events = gate.events(100)

    # About 600 KiB are buffered for each, including by the upstream, which is in this process, too;
    # without a limit it would be a gigabyte.
    assert peak < 200 * MIB
    assert {event.status for event in events} == {Status.CANCELED}


def test_requests_succeed_during_a_flood_of_invalid_keys(gate: Gate) -> None:
    statuses: list[int] = []

    def knock() -> None:
        sock = connect(gate)
        for _ in range(100):
            sock.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
                b"authorization: Bearer otl_aaaaaaaaaaaaaaaa_" + b"b" * 49 + b"\r\n"
                b"content-length: 2\r\n\r\n{}"
            )
            statuses.append(int(sock.recv(2000).split(b" ")[1]))
        sock.close()

    threads = [threading.Thread(target=knock) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert gate.post().status_code == 200
    for thread in threads:
        thread.join()
    assert statuses == [401] * 400
    gate.event()


def test_metrics_contain_no_tenant(gate: Gate) -> None:
    gate.post()
    gate.event()
    text = gate.http.get(f"{gate.url}/metrics").text
    assert 'outlay_requests_total{operation="chat",status="ok"}' in text
    assert "outlay_added_seconds_bucket" in text
    for secret in (gate.key, gate.organization.organization_id, gate.project.project_id):
        assert secret not in text


def test_health(gate: Gate) -> None:
    assert gate.http.get(f"{gate.url}/healthz").text == "ok\n"
    assert gate.http.get(f"{gate.url}/readyz").text == "ready\n"
    assert gate.http.get(f"{gate.url}/v1/chat/completions").status_code == 405

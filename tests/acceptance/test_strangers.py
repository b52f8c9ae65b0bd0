"""Every route of a real server × what unauthenticated clients may send: the answer and its cost."""

import json
import os
import re
import secrets
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest
from fastapi.routing import iter_route_contexts
from tests.program import kill_group, start, wait_for_server

from outlay.bootstrap.installation import open_installation
from outlay.domain.actor import Scope
from outlay.domain.organization import operator_of
from outlay.settings import Settings
from outlay.web.app import Application
from outlay.web.http.body import MAX_BODY, MAX_FORM, MAX_INGEST, MIB
from outlay.web.http.routes import GuardedRoute, policy_of
from outlay.web.proxy.endpoints import ENDPOINTS

HUGE = 400 * MIB
PATIENCE = 1.0
"""The timeout of this server for a head and a body, in seconds."""
SOON = 2.0
"""Seconds within which an unauthenticated client is answered if there is nothing to wait for, on a
busy machine."""
READ_AT_MOST = 2 * MIB
"""The size of both sides' buffers, plus what is read of a rejected body."""

LARGE = {
    "POST /api/v1/reconciliations": MAX_INGEST + MIB,
    "POST /v1/usage/events": MAX_INGEST,
    "POST /v1/ingest/litellm": MAX_INGEST,
    "POST /v1/traces": MAX_INGEST,
    "POST /api/public/otel/v1/traces": MAX_INGEST,
}
"""Routes that may read more than others, except those of the operator."""


class Target(NamedTuple):
    """A route, as an unauthenticated client sees it."""

    method: str
    path: str
    is_open: bool
    reads_body: bool
    refusal: int
    """The status for unauthenticated clients; 0 if they are admitted."""

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class Running:
    """A server in its own process."""

    port: int
    pid: int
    targets: list[Target]
    token: str

    def resident(self) -> int:
        """Its resident memory in bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def connect(self) -> socket.socket:
        """A connection with small buffers."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        sock.settimeout(20)
        sock.connect(("127.0.0.1", self.port))
        return sock


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("strangers") / "data"
    with open_installation(Settings(data=data)) as services:
        organization = services.administration.organizations.create("Acme")
        member = services.administration.sign_in.set_owner(
            organization, "me@example.test", "several words are best"
        )
        _, token = services.administration.tokens.create(
            operator_of(organization), description="t", scopes=Scope, member_id=member.member_id
        )
        targets = list(find_targets(Application(services, "x")))
    environment = {
        **os.environ,
        "OUTLAY_HEAD_TIMEOUT": str(PATIENCE),
        "OUTLAY_BODY_TIMEOUT": str(PATIENCE),
    }
    process = start("serve", "--data", data, "--port", "0", env=environment)
    try:
        info = wait_for_server(data, process)
        port = int(info["url"].rpartition(":")[2])
        yield Running(port, process.pid, targets, token)
    finally:
        kill_group(process)


def find_targets(application: Application) -> Iterator[Target]:
    """All paths that the application serves, and some that it does not."""
    for route in iter_route_contexts(application.pages.routes):
        policy = policy_of(route.dependant)
        is_open = type(policy).__name__ == "Open"
        for method in sorted(route.methods or ()):
            path = re.sub(r"{[^}]*}", "x", str(route.path))
            reads_body = route.body_field is not None
            yield Target(method, path, is_open, reads_body, 0 if is_open else 401)
    for path in map(bytes.decode, application.handlers):
        refusal = 401 if path in ENDPOINTS or path == "/v1/models" else 200
        yield Target("GET" if path not in ENDPOINTS else "POST", path, False, False, refusal)
    yield Target("POST", "/nothing/here", False, False, 404)
    yield Target("GET", "/v1/nothing", False, False, 404)


class Answer(NamedTuple):
    status: int
    head: str
    sent: int
    seconds: float


def ask(
    running: Running, target: Target, headers: str, body: bytes = b"", piece: bytes = b""
) -> Answer:
    """Send a head and a body, then `piece` repeatedly until there is an answer."""
    with running.connect() as sock:
        return finish(sock, target, headers, body, piece)


def finish(
    sock: socket.socket, target: Target, headers: str, body: bytes = b"", piece: bytes = b""
) -> Answer:
    started, sent, said = time.monotonic(), 0, b""
    head = f"{target.method} {target.path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{headers}\r\n"
    sock.sendall(head.encode() + body)
    sent += len(body)
    try:
        while piece and not select.select([sock], [], [], 0)[0] and sent < 64 * MIB:
            sent += sock.send(piece[(sent - len(body)) % len(piece) :])
    except OSError:
        pass  # it has disconnected; the answer may still be readable
    try:
        while b"\r\n\r\n" not in said and (chunk := sock.recv(65536)):
            said += chunk
    except ConnectionResetError:
        pass
    text = said.decode("latin-1").partition("\r\n\r\n")[0]
    status = int(text.split(" ")[1]) if text else 0
    return Answer(status, text.lower(), sent, time.monotonic() - started)


def length(size: int, media_type: str = "application/json", more: str = "") -> str:
    return f"content-type: {media_type}\r\ncontent-length: {size}\r\n{more}"


def test_every_route_bounds_its_body(running: Running, tmp_path: Path) -> None:
    with open_installation(Settings(data=tmp_path / "data")) as services:
        routes = list(iter_route_contexts(Application(services, "x").pages.routes))
    for route in routes:
        assert isinstance(route.original_route, GuardedRoute), route.path
        policy = policy_of(route.dependant)
        for method in route.methods or ():
            name = f"{method} {route.path}"
            if str(route.path).startswith("/api/v1/operations/"):
                assert policy.max_body == MAX_INGEST
            elif name in LARGE:
                assert policy.max_body == LARGE[name]
            else:
                is_open = type(policy).__name__ == "Open"
                assert policy.max_body == (MAX_FORM if is_open else MAX_BODY), name
    assert len(running.targets) > 140


def test_huge_body_is_refused_by_content_length(running: Running) -> None:
    before = running.resident()
    for target in running.targets:
        answer = ask(running, target, length(HUGE), piece=bytes(65536))
        assert answer.status == (target.refusal or 413), (target.name, answer)
        assert "connection: close" in answer.head, target.name
        assert answer.sent < READ_AT_MOST, (target.name, answer)
        assert answer.seconds < SOON, (target.name, answer)
    assert running.resident() - before < 32 * MIB


def test_huge_body_is_refused_while_reading(running: Running) -> None:
    before = running.resident()
    piece = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    chunked = "content-type: application/x-www-form-urlencoded\r\ntransfer-encoding: chunked\r\n"
    for target in running.targets:
        answer = ask(running, target, chunked, piece=piece)
        if target.refusal or target.reads_body:
            assert answer.status == (target.refusal or 413), (target.name, answer)
        assert 200 <= answer.status < 500, (target.name, answer)
        assert "connection: close" in answer.head, target.name
        assert answer.sent < READ_AT_MOST, (target.name, answer)
        assert answer.seconds < SOON, (target.name, answer)
    assert running.resident() - before < 32 * MIB


def test_continue_is_sent_only_with_a_valid_credential(running: Running) -> None:
    for target in running.targets:
        with running.connect() as sock:
            answer = finish(sock, target, length(100, more="expect: 100-continue\r\n"))
        expected = 100 if target.reads_body and target.is_open else target.refusal
        assert answer.status == expected or (target.is_open and not target.reads_body), target.name


def test_stalled_body_is_awaited_only_by_routes_that_read_it(
    running: Running,
) -> None:
    waiting = []
    for target in running.targets:
        sock = running.connect()
        headers = length(100, "application/x-www-form-urlencoded")
        head = f"{target.method} {target.path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{headers}\r\n"
        sock.sendall(head.encode() + b"e")
        waiting.append((target, sock, time.monotonic()))
    for target, sock, started in waiting:
        with sock:
            answer = finish_waiting(sock, target)
        seconds = time.monotonic() - started
        assert seconds < PATIENCE + 2 * SOON + 2, (target.name, seconds)
        if target.is_open and target.reads_body:
            assert answer == 408, target.name
        elif target.refusal:
            assert answer == target.refusal, target.name
        else:
            assert 200 <= answer < 500, target.name


def finish_waiting(sock: socket.socket, target: Target) -> int:
    """The status of an answer; the connection is closed afterwards."""
    said = b""
    while chunk := sock.recv(65536):
        said += chunk
    assert said, target.name
    return int(said.split(b" ")[1])


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-a: "])
def test_missing_request_head_closes_the_connection(running: Running, start: bytes) -> None:
    with running.connect() as sock:
        started = time.monotonic()
        sock.sendall(start)
        said = sock.recv(1000)
        assert said.startswith(b"HTTP/1.1 408") if start else said == b""
        assert PATIENCE * 0.9 < time.monotonic() - started < PATIENCE + SOON + 1


def test_slow_request_head_closes_the_connection(running: Running) -> None:
    with running.connect() as sock:
        started, said = time.monotonic(), b""
        for byte in b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n" + b"x-a: " + b"a" * 1000:
            try:
                sock.send(bytes([byte]))
            except OSError:
                break
            if select.select([sock], [], [], 0.1)[0]:
                said = sock.recv(1000)
                break
        assert said.startswith(b"HTTP/1.1 408")
        assert time.monotonic() - started < PATIENCE + SOON + 1


MALFORMED = b'{"a": ' + b"[" * 3000
FORM_WITH_FILE = (
    b'--B\r\nContent-Disposition: form-data; name="x"; filename="f"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n" + b"a" * 3000 + b"\r\n--B--\r\n"
)


def test_malformed_body_is_not_a_server_error(running: Running) -> None:
    for target in running.targets:
        answer = ask(running, target, length(len(MALFORMED)), MALFORMED)
        assert answer.status == target.refusal or target.is_open, (target.name, answer)
        assert answer.status < 500, (target.name, answer)


def test_forms_accept_no_files(running: Running) -> None:
    files = set(Path(f"/proc/{running.pid}/fd").iterdir())
    for target in running.targets:
        headers = length(len(FORM_WITH_FILE), "multipart/form-data; boundary=B")
        answer = ask(running, target, headers, FORM_WITH_FILE)
        if target.is_open and target.reads_body:
            assert answer.status == 415, (target.name, answer)
        else:
            assert answer.status == target.refusal or target.is_open, (target.name, answer)
    assert len(set(Path(f"/proc/{running.pid}/fd").iterdir()) - files) < 20


def test_malformed_bodies_of_authenticated_callers_leak_no_memory(running: Running) -> None:
    target = Target("POST", "/api/v1/projects", False, True, 0)
    sizes = (MAX_BODY - 100, MAX_BODY // 2)

    def send(body: bytes) -> None:
        more = f"authorization: Bearer {running.token}\r\n"
        answer = ask(running, target, length(len(body), more=more), body)
        assert answer.status == 400, answer

    def bodies(size: int) -> Iterator[bytes]:
        yield b'{"name":"' + b"A" * (size - 9)
        yield b"[" * size
        yield json.dumps({"name": "A" * (size - 100)}).encode()

    for size in sizes * 5:
        for body in bodies(size):
            send(body)
    before, peak = running.resident(), 0
    for size in sizes * 40:
        for body in bodies(size):
            send(body)
        peak = max(peak, running.resident() - before)
    assert peak < 8 * MIB  # each would leave this much behind, 45 MiB in total


def test_authenticated_caller_learns_the_body_limit(running: Running) -> None:
    target = Target("POST", "/api/v1/projects", False, True, 0)
    more = f"authorization: Bearer {running.token}\r\n"
    with running.connect() as sock:
        sock.sendall(
            b"POST /api/v1/projects HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            + length(MAX_BODY + 1, more=more).encode()
            + b"\r\n"
        )
        said = b""
        while chunk := sock.recv(65536):
            said += chunk
    problem = json.loads(said.partition(b"\r\n\r\n")[2])
    assert (problem["status"], problem["code"]) == (413, "body-too-large")
    assert "256 KiB" in problem["detail"]
    body = json.dumps({"name": secrets.token_hex(8)}).encode()
    assert ask(running, target, length(len(body), more=more), body).status == 201


def test_other_host_names_are_refused(running: Running) -> None:
    def status(path: str, host: str) -> int:
        with running.connect() as sock:
            sock.sendall(
                f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode()
            )
            return int(sock.recv(1000).split(b" ")[1])

    for path in ("/login", "/metrics", "/openapi.json", "/nothing"):
        assert status(path, "evil.example") == 421, path
        assert status(path, "localhost.evil.example:4100") == 421, path
    for host in ("localhost", "LOCALHOST:4100", "app.localhost", "[::1]:4100", "10.1.2.3:80"):
        assert status("/login", host) == 200, host
    assert status("/healthz", "outlay") == 200
    assert status("/v1/models", "outlay") == 401

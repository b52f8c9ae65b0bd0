"""`outlay verify` through a server in use: nothing is disturbed, every problem is reported in one
line."""

import http.client
import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.program import run, serving, start, wait_for_server

EVENTS = 4_000
QUESTIONS = [
    ("/api/v1/analytics/activity", {"groupBy": group, "bucket": "hour", "from": day, "to": day})
    for group in ("model", "user", "app", "endUser", "provider")
    for day in ("2026-01-05", "2026-01-06")
] + [
    (
        "/api/v1/analytics/activity",
        {"groupBy": "app,model", "from": "2026-01-01", "to": "2026-06-30"},
    ),
    ("/api/v1/analytics/latency", {"groupBy": "model", "from": "2026-01-01", "to": "2026-06-30"}),
    ("/api/v1/exports/report", {"groupBy": "app,model", "from": "2026-01-01", "to": "2026-02-28"}),
    ("/api/v1/analytics/users-and-groups", {"from": "2026-01-01", "to": "2026-06-30"}),
]


class Running:
    """A server, an access token of its owner, and its data."""

    def __init__(self, data: Path, process: subprocess.Popen[str], token: str) -> None:
        self.data = data
        self.process = process
        self.url = wait_for_server(data, process)["url"]
        self.headers = {"Authorization": f"Bearer {token}"}

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=120)

    def operator(self) -> str:
        token: str = json.loads((self.data / "server.json").read_text())["token"]
        return token


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A shared server for tests that leave it unchanged."""
    with _running(tmp_path_factory.mktemp("shared")) as server:
        yield server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    """A server for one test."""
    with _running(tmp_path) as server:
        yield server


@contextmanager
def _running(folder: Path) -> Iterator[Running]:
    data = folder / "data"
    created = run("owner", "me@example.test", "--data", data, env_password="a long password!")
    with serving(data) as process:
        yield Running(data, process, created.stdout.strip())


def make(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "eventId": f"e-{number}",
        "eventTime": f"2026-01-{1 + number % 28:02d}T{number % 24:02d}:00:00Z",
        "model": f"openai/gpt-{number % 7}",
        "usage": {"inputTokens": number, "outputTokens": 1},
        "app": f"app-{number % 5}",
        "endUser": f"user-{number % 90}",
        "durationMs": number % 4_000,
        "reportedCost": "0.01",
        **changes,
    }


def send(client: httpx.Client, events: list[dict[str, Any]]) -> None:
    answer = client.post("/v1/usage/events", json=events)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("seconds", [8, pytest.param(75, marks=pytest.mark.long)])
def test_verify_does_not_disturb_readers_and_ingest(shared: Running, seconds: int) -> None:
    outcomes: Counter[str] = Counter()
    is_over = threading.Event()

    def read(first: int) -> None:
        with shared.client() as client:
            index = first
            while not is_over.is_set():
                path, query = QUESTIONS[index % len(QUESTIONS)]
                index += 1
                # A filter that excludes nothing, but makes a different question each time.
                query = {**query, "model": f"openai/gpt-1,openai/x{time.monotonic_ns()}"}
                try:
                    status = str(client.get(path, params=query).status_code)
                except httpx.HTTPError as error:
                    status = type(error).__name__
                outcomes[f"read {status}"] += 1

    def write() -> None:
        number = EVENTS
        with shared.client() as client:
            while not is_over.is_set():
                made = [make(number + offset) for offset in range(200)]
                outcomes[f"write {client.post('/v1/usage/events', json=made).status_code}"] += 1
                number += 200
                time.sleep(0.1)

    with shared.client() as client:
        for first in range(0, EVENTS, 1_000):
            send(client, [make(number) for number in range(first, first + 1_000)])
    threads = [threading.Thread(target=read, args=(index * 3,)) for index in range(6)]
    threads.append(threading.Thread(target=write))
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    verified = 0
    try:
        while time.monotonic() < deadline or not verified:
            found = run("verify", "--data", shared.data)
            assert found.returncode == 0, found
            verified += 1
    finally:
        is_over.set()
        for thread in threads:
            thread.join()

    assert verified
    assert set(outcomes) == {"read 200", "write 200"}, outcomes


def test_sum_beyond_64_bits_is_verified_through_a_server(server: Running) -> None:
    """2^63 pico-USD are 9.22 million USD, 2^64 are 18.45 million."""
    steps = [(["9000000", "300000"], "9300000"), (["9000000", "146744.08"], "18446744.08")]
    for number, (costs, shown) in enumerate(steps):
        with server.client() as client:
            made = [
                make(10 * number + index, model="acme/unknown", reportedCost=cost)
                for index, cost in enumerate(costs)
            ]
            send(client, made)

        found = run("verify", "--data", server.data)
        assert (found.returncode, found.stderr) == (0, "")
        assert f"{shown} USD" in found.stdout
    assert run("rebuild", "--data", server.data).returncode == 0


def test_disconnected_follower_leaves_nothing_held(shared: Running) -> None:
    with shared.client() as client:
        send(client, [make(number) for number in range(1_000)])
    for path in ("/api/v1/operations/verify", "/api/v1/operations/rebuild"):
        connection = http.client.HTTPConnection(shared.url.removeprefix("http://"), timeout=60)
        connection.request("POST", path, headers={"Authorization": f"Bearer {shared.operator()}"})
        connection.sock.close()

        deadline = time.monotonic() + 60
        while (found := run("verify", "--data", shared.data)).returncode == 4:
            assert time.monotonic() < deadline, found
        assert found.returncode == 0, found


def test_running_maintenance_is_reported_with_its_own_exit_code(shared: Running) -> None:
    with shared.client() as client:
        send(client, [make(number) for number in range(2_000)])
    others = [start("verify", "--data", shared.data) for _ in range(4)]
    told = [(*other.communicate(timeout=120), other.returncode) for other in others]

    assert {code for _, _, code in told} <= {0, 4}
    assert any(code == 0 for _, _, code in told)
    for _, error, code in told:
        if code == 4:
            assert error.startswith("Error: a verification, started by the operator at 20")
            assert error.count("\n") == 1


@pytest.mark.long
def test_killed_server_is_a_one_line_error_with_its_own_exit_code(
    server: Running,
) -> None:
    with server.client() as client:
        for first in range(0, 24_000, 2_000):  # more than is read in the server itself
            send(client, [make(number) for number in range(first, first + 2_000)])
    verifying = start("verify", "--data", server.data)
    reader = None
    try:
        deadline = time.monotonic() + 60
        while reader is None and time.monotonic() < deadline:
            reader = next(iter(_children(server.process.pid)), None)
        assert reader is not None
        os.killpg(server.process.pid, signal.SIGKILL)
        output, error = verifying.communicate(timeout=60)
    finally:
        verifying.kill()

    assert verifying.returncode == 5, (output, error)
    assert error.count("\n") == 1
    assert "connection to the server was lost" in error
    deadline = time.monotonic() + 20
    while Path(f"/proc/{reader}").exists():
        assert time.monotonic() < deadline, "a process that reads the ledger is left behind"
        time.sleep(0.05)


def _children(pid: int) -> list[int]:
    """Processes that read the ledger for a process or for those that it started."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                command = (folder / "cmdline").read_bytes().split(b"\0")
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if b"outlay.services.cube.scan_process" in command and parent == pid:
                found.append(int(folder.name))
    return found


def test_unresponsive_server_has_its_own_exit_code(shared: Running) -> None:
    info = json.loads((shared.data / "server.json").read_text())
    (shared.data / "server.json").write_text(json.dumps({**info, "url": "http://127.0.0.1:1"}))
    try:
        found = run("verify", "--data", shared.data)
    finally:
        (shared.data / "server.json").write_text(json.dumps(info))

    assert found.returncode == 6
    assert found.stderr.startswith("Error: The server is unreachable")
    assert found.stderr.count("\n") == 1


@pytest.mark.long
def test_overwritten_cube_is_a_one_line_error(server: Running) -> None:
    with server.client() as client:
        send(client, [make(number) for number in range(3_000)])
    assert run("verify", "--data", server.data).returncode == 0
    cube = server.data / "cube.duckdb"
    with cube.open("r+b") as file:
        file.truncate(4_096)

    found = run("verify", "--data", server.data)

    assert found.returncode in {0, 5}, found  # 0 while it is all in memory
    assert found.stderr.count("\n") <= 1
    assert "Traceback" not in found.stderr
    again = run("verify", "--data", server.data)
    assert again.returncode != 4, again

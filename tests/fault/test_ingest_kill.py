"""Continuous sending with repetitions, over many connections, to a server that is killed."""

import http.client
import json
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from queue import Empty, SimpleQueue
from random import Random
from subprocess import Popen
from typing import Any

import httpx
import pytest
from tests.program import command, kill_group, start, wait_for_server

CONNECTIONS = 16
BATCH = 500
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
PRICES = {"openai/gpt-4o": (2_500_000, 10_000_000), "openai/gpt-4o-mini": (150_000, 600_000)}
"""Pico-USD per input and output token."""


def make_event(number: int, random: Random) -> dict[str, Any]:
    return {
        "eventId": f"event-{number}",
        "eventTime": (BEGIN + timedelta(seconds=7 * number)).isoformat(),
        "model": random.choice(list(PRICES)),
        "usage": {
            "inputTokens": random.randrange(1, 9_000),
            "outputTokens": random.randrange(1, 900),
        },
        "projectId": f"project-{number % 5}",
    }


class Sender:
    """Sends batches until each has been acknowledged, even if the server is killed."""

    def __init__(self, port: int, token: str, batches: list[bytes]) -> None:
        self.port, self.acknowledged = port, 0
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._stopped = threading.Event()
        self._waiting: SimpleQueue[bytes] = SimpleQueue()
        self._lock = threading.Lock()
        for batch in batches:
            self._waiting.put(batch)

    def run(self) -> None:
        """The work of one connection."""
        while True:
            try:
                body = self._waiting.get_nowait()
            except Empty:
                return
            self._deliver(body)

    def wait_for(self, acknowledged: int) -> None:
        """Wait until this many batches have been acknowledged."""
        deadline = time.monotonic() + 300
        while self.acknowledged < acknowledged:
            assert time.monotonic() < deadline, f"{self.acknowledged} of {acknowledged} batches"
            time.sleep(0.01)

    def close(self) -> None:
        """Stop; connections finish what they are sending."""
        self._stopped.set()

    def _deliver(self, body: bytes) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not self._stopped.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            try:
                connection.request("POST", "/v1/usage/events", body, self._headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    with self._lock:
                        self.acknowledged += 1
                    return
                assert answer.status == 503, answer.status
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
            finally:
                connection.close()
        raise AssertionError("the server did not come back")


def serve(data: Path, port: int) -> Popen[str]:
    process = start("serve", "--data", data, "--port", str(port))
    wait_for_server(data, process)
    return process


@pytest.mark.parametrize(
    ("count", "kills"),
    [(8_000, 2), pytest.param(100_000, 5, marks=pytest.mark.long)],
    ids=["some", "a hundred thousand"],
)
def test_events_sent_repeatedly_count_once(tmp_path: Path, count: int, kills: int) -> None:
    data, random = tmp_path / "data", Random(count)
    events = [make_event(number, random) for number in range(count)]
    sent = [event for event in events for _ in range(random.randint(1, 5))]
    random.shuffle(sent)
    batches = [
        json.dumps(sent[first : first + BATCH]).encode() for first in range(0, len(sent), BATCH)
    ]
    created = command("owner", "me@example.test", "--data", data, env_password="a long password!")
    token = created.stdout.strip()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    server = serve(data, port)
    sender = Sender(port, token, batches)

    try:
        with ThreadPoolExecutor(CONNECTIONS) as pool, closing(sender):
            futures = [pool.submit(sender.run) for _ in range(CONNECTIONS)]
            for number in range(kills):
                sender.wait_for(len(batches) * (number + 1) // (kills + 2))
                kill_group(server, signal.SIGKILL)
                server = serve(data, port)
            for future in futures:
                future.result()

        verified = command("verify", "--data", data)
        totals = ask(port, token)
    finally:
        kill_group(server, signal.SIGTERM)

    assert verified.returncode == 0, verified
    assert sender.acknowledged == len(batches)
    tokens = [(event["usage"]["inputTokens"], event["usage"]["outputTokens"]) for event in events]
    costs = [PRICES[event["model"]] for event in events]
    pusd = sum(
        spent[0] * price[0] + spent[1] * price[1]
        for spent, price in zip(tokens, costs, strict=True)
    )
    assert totals["requestCount"] == count
    assert totals["inputTokens"] == sum(spent[0] for spent in tokens)
    assert totals["outputTokens"] == sum(spent[1] for spent in tokens)
    assert totals["cost"] == Decimal(pusd) / 10**12


def ask(port: int, token: str) -> dict[str, Any]:
    """The totals of everything, once it is in the cube."""
    answer = httpx.get(
        f"http://127.0.0.1:{port}/api/v1/analytics/summary",
        params={"from": "2026-11-01", "to": "2026-11-30"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    found: dict[str, Any] = json.loads(answer.text, parse_float=Decimal)["summary"]
    return found

"""Durable ingest over HTTP in batches of 500, as another gateway sends them, on one process.

The server runs in its own process; the bodies are generated before the clock starts.
"""

import http.client
import json
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

from bench.sides import free_port, process
from outlay.bootstrap.installation import open_installation
from outlay.domain.actor import Plan, Scope
from outlay.domain.organization import operator_of
from outlay.settings import Settings

EVENTS: Final = 120_000
BATCH: Final = 500
CONNECTIONS: Final = 4
MODELS: Final = ("openai/gpt-5.4", "anthropic/claude-sonnet-4-5", "google/gemini-2.5-flash")


def bodies() -> list[bytes]:
    """Batches of events of native JSON."""
    random = Random(7)
    start = datetime.now(UTC) - timedelta(hours=6)
    events: list[dict[str, Any]] = [
        {
            "eventId": f"bench-{number:08d}",
            "eventTime": (start + timedelta(milliseconds=100 * number)).isoformat(),
            "model": random.choice(MODELS),
            "usage": {
                "inputTokens": random.randrange(1, 20_000),
                "outputTokens": random.randrange(1, 2_000),
            },
            "projectId": f"project-{random.randrange(6)}",
            "apiKeyId": f"key-{random.randrange(40)}",
            "userId": f"user-{random.randrange(60)}@example.test",
            "app": f"app-{random.randrange(9)}",
            "durationMs": random.randrange(200, 9_000),
        }
        for number in range(EVENTS)
    ]
    return [json.dumps(events[first : first + BATCH]).encode() for first in range(0, EVENTS, BATCH)]


def run() -> list[str]:
    """The figures, as lines of Markdown."""
    folder = Path(tempfile.mkdtemp(prefix="outlay-bench-"))
    with open_installation(Settings(data=folder)) as services:
        organization = services.administration.organizations.create("Bench", plan=Plan.ENTERPRISE)
        owner = services.administration.sign_in.set_owner(
            organization, "bench@example.test", "a long enough password"
        )
        _, token = services.administration.tokens.create(
            operator_of(organization),
            description="bench",
            scopes=Scope,
            member_id=owner.member_id,
        )
    batches = bodies()
    port = free_port()
    command = [sys.executable, "-m", "outlay", "serve", "--data", str(folder), "--port", str(port)]
    with process(command):
        _wait(port)
        seconds = _send(port, token, batches)
    with open_installation(Settings(data=folder)) as services:
        stored = services.ledger.last_seq
    shutil.rmtree(folder)
    if stored != EVENTS:
        raise AssertionError(f"{stored} of {EVENTS} events are stored")
    rate = EVENTS / seconds
    return [
        "| events | batch | connections | durable events/s |",
        "|---|---|---|---|",
        f"| {EVENTS:,} | {BATCH} | {CONNECTIONS} | {rate:,.0f} |",
    ]


def _wait(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health/ready")
            if connection.getresponse().status < 500:
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    raise AssertionError("the server did not start")


def _send(port: int, token: str, batches: list[bytes]) -> float:
    """Seconds until the last batch is acknowledged."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def send(own: list[bytes]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for body in own:
            connection.request("POST", "/v1/usage/events", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise AssertionError(answer.status)
        connection.close()

    started = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(send, [batches[index::CONNECTIONS] for index in range(CONNECTIONS)]))
    return time.monotonic() - started

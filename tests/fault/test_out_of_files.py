"""A process without file descriptors to spare refuses, and keeps its record complete."""

import asyncio
import resource
import signal
from collections import Counter
from pathlib import Path

import httpx
from tests.fault.test_gateway_kill import set_up, stored
from tests.gateway.conftest import chat_body
from tests.program import kill_group, start, wait_for_server
from tests.upstream import running_upstream

CLIENTS = 60


def test_requests_without_a_descriptor_are_refused_and_on_record(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_upstream() as upstream:
        key = set_up(data, upstream)
        server = start("serve", "--data", data, "--port", "0")
        try:
            url = wait_for_server(data, server)["url"]
            httpx.get(f"{url}/healthz")
            used = len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
            # Room for every client, but not for as many connections to the upstream.
            files = used + CLIENTS + 20
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (files, files))
            answers = asyncio.run(call_at_once(url, key))
            after = httpx.get(f"{url}/readyz").status_code
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=60)
        finally:
            kill_group(server)
    statuses = Counter(status for status, _ in answers)
    assert set(statuses) == {200, 503}
    assert all("file descriptors" in text for status, text in answers if status == 503)
    assert all(text.endswith("data: [DONE]\n\n") for status, text in answers if status == 200)
    assert after == 200
    assert server.returncode == 0

    recorded = Counter((event.status, event.error_code) for event in stored(data))
    assert recorded == {
        ("ok", ""): statuses[200],
        ("gateway_error", "out-of-files"): statuses[503],
    }
    assert len(upstream.served) == statuses[200]


async def call_at_once(url: str, key: str) -> list[tuple[int, str]]:
    """Status and text of streams that all run at the same time."""
    limits = httpx.Limits(max_connections=CLIENTS)
    headers = {"authorization": f"Bearer {key}", "x-script": '{"pause": 0.4}'}
    async with httpx.AsyncClient(timeout=60, limits=limits, headers=headers) as client:
        calls = [
            client.post(f"{url}/v1/chat/completions", json=chat_body(stream=True))
            for _ in range(CLIENTS)
        ]
        return [(answer.status_code, answer.text) for answer in await asyncio.gather(*calls)]

"""A process without spare file descriptors refuses requests, and its record stays complete."""

import asyncio
import contextlib
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
UPSTREAM_CONNECTIONS = 20
"""Fewer than there are clients."""


def test_requests_without_file_descriptors_are_refused_and_recorded(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_upstream() as upstream:
        key = set_up(data, upstream)
        server = start("serve", "--data", data, "--port", "0")
        try:
            url = wait_for_server(data, server)["url"]
            answers = asyncio.run(call_at_once(url, key, server.pid))
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


def leave_descriptors(pid: int, count: int) -> None:
    """Lower the limit on open files to what a process has, plus a few."""
    used = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + count, used + count))


async def call_at_once(url: str, key: str, pid: int) -> list[tuple[int, str]]:
    """Status and text of concurrent streams.

    Each client is connected before the descriptors run out: one that cannot be accepted gets no
    answer at all.
    """
    headers = {"authorization": f"Bearer {key}", "x-script": '{"pause": 0.4}'}
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(httpx.AsyncClient(timeout=60, headers=headers))
            for _ in range(CLIENTS)
        ]
        await asyncio.gather(*(client.get(f"{url}/healthz") for client in clients))
        leave_descriptors(pid, UPSTREAM_CONNECTIONS)
        answers = await asyncio.gather(
            *(
                client.post(f"{url}/v1/chat/completions", json=chat_body(stream=True))
                for client in clients
            )
        )
    return [(answer.status_code, answer.text) for answer in answers]

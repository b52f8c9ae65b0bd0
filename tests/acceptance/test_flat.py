"""A long-running server: its resources do not grow with the number of answered requests."""

import asyncio
import resource
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest
from bench.soak.samples import Sampler
from bench.soak.trend import Gauge, trends_of
from tests.program import kill_group, launch, run, wait_for_server
from tests.short_lived_threads import IDLE_SECONDS

FILES = 256
"""Few enough for a leak to cause an error."""

GAUGES = [
    Gauge(name="files", slack=4),
    Gauge(name="threads", slack=8),
    Gauge(name="memory", slack=24),
]


def start_server(data: Path) -> "subprocess.Popen[str]":
    """A server with a low limit on open files and short-lived idle threads."""
    return launch(
        [sys.executable, "-m", "tests.short_lived_threads", "serve", "--data", data, "--port", "0"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES)),
    )


@pytest.mark.parametrize(
    ("bursts", "size"), [(40, 6), pytest.param(200, 30, marks=pytest.mark.long)]
)
def test_bursts_of_queries_from_short_lived_threads_leave_nothing_behind(
    tmp_path: Path, bursts: int, size: int
) -> None:
    data = tmp_path / "data"
    created = run("owner", "me@example.test", "--data", data, env_password="a long password!")
    token = created.stdout.strip()
    server = start_server(data)
    try:
        url = wait_for_server(data, server)["url"]
        sampler = Sampler(server.pid, data, url, interval=0)
        statuses = asyncio.run(ask(url, token, bursts, size, sampler))
    finally:
        kill_group(server)

    assert statuses == {200: bursts * size}
    assert max(sample["files"] for sample in sampler.samples) < FILES
    grown = [trend for trend in trends_of(GAUGES, sampler.samples) if trend.has_grown]
    assert grown == []


async def ask(url: str, token: str, bursts: int, size: int, sampler: Sampler) -> Counter[int]:
    """Query the request log concurrently, then pause until the idle threads end."""
    statuses: Counter[int] = Counter()
    headers = {"Authorization": f"Bearer {token}"}
    limits = httpx.Limits(max_connections=size)
    async with httpx.AsyncClient(headers=headers, timeout=60, limits=limits) as client:

        async def one() -> None:
            answer = await client.get(f"{url}/api/v1/requests", params={"limit": "1"})
            statuses[answer.status_code] += 1

        for _ in range(bursts):
            await asyncio.gather(*(one() for _ in range(size)))
            await asyncio.sleep(2 * IDLE_SECONDS)
            sampler.samples.append(await asyncio.to_thread(sampler.take))
    return statuses

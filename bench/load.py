"""Load on one side: a closed loop by wrk, and an open loop that is timed from the schedule.

Usage for the open loop: `python -m bench.load <port> <path> <rate> <seconds> <stream> <headers>`,
which prints latencies in ms as JSON.
"""

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import aiohttp
import uvloop

from bench.sides import Side

MESSAGES = [
    {"role": "user", "content": "Say hello to the people in the room, and ask how they are."}
]


class AnswersErrors(RuntimeError):
    """A side does not respond with status 200."""


class Closed(NamedTuple):
    """What a closed loop measured."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """CPU time of the side per request."""


def request_body(*, is_stream: bool) -> str:
    """The body of every request."""
    body: dict[str, object] = {"model": "gpt-5.5", "messages": MESSAGES}
    if is_stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(body)


def closed_loop(side: Side, *, seconds: int, connections: int = 64, is_stream: bool) -> Closed:
    """The most requests that `connections` clients achieve, each waiting for its response."""
    headers = {"content-type": "application/json", **side.headers}
    lines = [f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items()]
    script = "\n".join(
        ['wrk.method = "POST"', f"wrk.body = [[{request_body(is_stream=is_stream)}]]", *lines]
    )
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", "--latency", "--timeout", "20s", "-s"]
        url = f"http://127.0.0.1:{side.port}{side.path}"
        subprocess.run([*command, file.name, "-d2s", url], check=True, capture_output=True)
        before = side.cpu_seconds()
        found = subprocess.run(
            [*command, file.name, f"-d{seconds}s", url], check=True, capture_output=True, text=True
        ).stdout
        cpu = side.cpu_seconds() - before
    if "Non-2xx" in found:
        raise AnswersErrors(f"{side.name} answers with errors")
    count = int(_found(r"(\d+) requests in", found))
    return Closed(
        float(_found(r"Requests/sec:\s+([\d.]+)", found)),
        _milliseconds(_found(r"50%\s+([\d.]+\w+)", found)),
        _milliseconds(_found(r"99%\s+([\d.]+\w+)", found)),
        cpu / count * 1e6,
    )


def _found(pattern: str, text: str) -> str:
    """The group of a pattern in what the program printed."""
    match = re.search(pattern, text)
    if match is None:
        raise AssertionError(f"no {pattern!r} in {text!r}")
    return match[1]


def _milliseconds(text: str) -> float:
    number = _found(r"^([\d.]+)", text)
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[text[len(number) :]]


def open_loop(side: Side, *, rate: int, seconds: int, is_stream: bool) -> list[float]:
    """Latencies in ms, sorted, of requests sent at a fixed rate regardless of pending ones."""
    command = [sys.executable, "-m", "bench.load", str(side.port), side.path, str(rate)]
    command += [str(seconds), str(int(is_stream)), json.dumps(side.headers)]
    found = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path.cwd())
    return sorted(json.loads(found.stdout))


async def _open_loop(url: str, rate: int, seconds: int, body: str, headers: dict[str, str]) -> None:
    latencies: list[float] = []
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one(due: float) -> None:
            async with session.post(url, data=body, headers=headers) as answer:
                await answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"status {answer.status}")
            latencies.append((time.perf_counter() - due) * 1000)

        await asyncio.gather(*(one(time.perf_counter()) for _ in range(8)))
        latencies.clear()
        start = time.perf_counter() + 0.1
        tasks = []
        for index in range(rate * seconds):
            due = start + index / rate
            await asyncio.sleep(due - time.perf_counter())
            tasks.append(asyncio.create_task(one(due)))
        await asyncio.gather(*tasks)
    print(json.dumps(latencies))


if __name__ == "__main__":
    port, path, rate, seconds, is_stream, headers = sys.argv[1:]
    uvloop.run(
        _open_loop(
            f"http://127.0.0.1:{port}{path}",
            int(rate),
            int(seconds),
            request_body(is_stream=is_stream == "1"),
            {"content-type": "application/json", **json.loads(headers)},
        )
    )

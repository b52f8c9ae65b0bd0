"""The time from starting the server to its first response."""

import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path


def run() -> list[str]:
    """The figure, as lines of Markdown."""
    folder = Path(tempfile.mkdtemp(prefix="outlay-bench-"))
    outlay = [sys.executable, "-m", "outlay"]
    environment = {**os.environ, "OUTLAY_OWNER_PASSWORD": "a long enough password"}
    try:
        owner = subprocess.run(
            [*outlay, "owner", "me@example.test", "--data", str(folder)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        token = owner.stdout.strip()
        taken = [_first_answer(outlay, folder, token) for _ in range(5)]
        fresh = _freshness(outlay, folder, token)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return [
        f"Server start to first answer: {statistics.median(taken):.2f} s (median of 5).",
        f"Acknowledged event to answer: {statistics.median(fresh):.2f} s, "
        f"at most {max(fresh):.2f} s (20 events).",
    ]


def _freshness(outlay: list[str], folder: Path, token: str) -> list[float]:
    """Seconds from each acknowledgement until a summary counts the event."""
    headers = {"Authorization": f"Bearer {token}"}
    command = [*outlay, "serve", "--data", str(folder), "--port", "0"]
    taken = []
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            url = _wait(folder, process.pid)
            connection = http.client.HTTPConnection(url.rpartition("/")[2], timeout=10)
            for number in range(1, 21):
                event = {
                    "eventId": str(number),
                    "eventTime": datetime.now(UTC).isoformat(),
                    "model": "openai/gpt-4o",
                    "usage": {"inputTokens": 1, "outputTokens": 1},
                }
                connection.request("POST", "/v1/usage/events", json.dumps([event]), headers)
                connection.getresponse().read()
                begin = time.perf_counter()
                found = 0
                while found < number:
                    connection.request("GET", "/api/v1/analytics/summary", headers=headers)
                    answer = json.loads(connection.getresponse().read())
                    found = answer["summary"]["requestCount"]
                taken.append(time.perf_counter() - begin)
        finally:
            process.terminate()
    return taken


def _wait(folder: Path, pid: int) -> str:
    """The address of the server with a process id, once it is listening."""
    while True:
        try:
            info = json.loads((folder / "server.json").read_text())
            if info["pid"] == pid:
                time.sleep(1)
                return str(info["url"])
        except (OSError, ValueError):
            time.sleep(0.01)


def _first_answer(outlay: list[str], folder: Path, token: str) -> float:
    begin = time.perf_counter()
    command = [*outlay, "serve", "--data", str(folder), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            while True:
                try:
                    info = json.loads((folder / "server.json").read_text())
                    port = int(info["url"].rpartition(":")[2])
                    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                    headers = {"Authorization": f"Bearer {token}"}
                    connection.request("GET", "/api/v1/analytics/summary", headers=headers)
                    if connection.getresponse().status == 200:
                        return time.perf_counter() - begin
                except (OSError, ValueError, http.client.HTTPException):
                    time.sleep(0.01)
        finally:
            process.terminate()

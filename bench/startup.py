"""How long from starting the server to its first answer."""

import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
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
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return [f"Server start to first answer: {statistics.median(taken):.2f} s (median of 5)."]


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
                    connection.request("GET", "/analytics/summary", headers=headers)
                    if connection.getresponse().status == 200:
                        return time.perf_counter() - begin
                except (OSError, ValueError, http.client.HTTPException):
                    time.sleep(0.01)
        finally:
            process.terminate()

"""A server's resources, sampled from outside every few seconds."""

import re
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx

from bench.soak.trend import Gauge
from outlay.storage.sqlite import connect

MIB: Final = 2**20

GAUGES: Final = (
    Gauge(name="files", slack=6),
    # Bursts come and go: this many clients and pool threads may exist at any time.
    Gauge(name="connections", slack=10, floor=64),
    Gauge(name="threads", slack=10, floor=72),
    Gauge(name="memory", unit="MiB", slack=32, share=0.1),
    # It stays as large as at the last checkpoint: see journal_size_limit in storage/sqlite.py.
    Gauge(name="write-ahead log", unit="MiB", slack=16, floor=72),
    Gauge(name="open intents", slack=10),
    Gauge(name="outcomes overdue", slack=0),
    Gauge(name="events not in answers yet", slack=2_000),
)


class Sampler:
    """Takes a sample every `interval` seconds in a thread of its own."""

    def __init__(self, pid: int, data: Path, url: str, interval: float) -> None:
        self.samples: list[Mapping[str, float]] = []
        self._process = Path(f"/proc/{pid}")
        self._data = data
        self._url = url
        self._interval = interval
        self._stop = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; raises what went wrong."""
        self._stop.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            due = time.monotonic()
            while not self._stop.is_set():
                self.samples.append(self.take())
                due += self._interval
                self._stop.wait(max(0.0, due - time.monotonic()))
        except Exception as error:  # raised by stop()
            self._failure = error

    def take(self) -> Mapping[str, float]:
        """One sample, by name of gauge."""
        targets = [_target(link) for link in (self._process / "fd").iterdir()]
        connections = sum(target.startswith("socket:") for target in targets)
        status = (self._process / "status").read_text()
        metrics = self._metrics()
        return {
            "files": len(targets) - connections,
            "connections": connections,
            "threads": _number(r"Threads:\s+(\d+)", status),
            "memory": _number(r"VmRSS:\s+(\d+)", status) / 1024,
            "write-ahead log": _size(self._data / "outlay.sqlite3-wal") / MIB,
            "open intents": self._open_intents(),
            "outcomes overdue": metrics["outlay_outcomes_overdue"],
            "events not in answers yet": metrics["outlay_ledger_lag_events"],
        }

    def _metrics(self) -> dict[str, float]:
        text = httpx.get(f"{self._url}/metrics", timeout=30).text
        found = re.findall(r"^(\w+) ([\d.e+]+)$", text, re.MULTILINE)
        return {name: float(value) for name, value in found}

    def _open_intents(self) -> int:
        connection = connect(self._data / "outlay.sqlite3", read_only=True)
        try:
            (count,) = connection.execute("SELECT count(*) FROM request_intent").fetchone()
        finally:
            connection.close()
        return int(count)


def _target(link: Path) -> str:
    """The target of a file descriptor; empty if it was closed in the meantime."""
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise ValueError(f"{pattern} is not in {text!r}")
    return float(found[1])

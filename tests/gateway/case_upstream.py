"""An upstream that answers with a provider's answer from a recorded case."""

import gzip
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from typing_extensions import override

from tests.http_server import serving

TYPES = {".json": "application/json", ".sse": "text/event-stream", ".gz": "application/json"}


class CaseUpstream(ThreadingHTTPServer):
    """Answers each request with the answer of the current case."""

    daemon_threads = True
    case: dict[str, Any]
    answer: bytes
    kind: str

    def show(self, folder: Path) -> None:
        """Answer with the answer of a case from now on."""
        self.case = json.loads((folder / "case.json").read_text())
        found = next(folder.glob("answer.*"), None)
        self.answer = found.read_bytes() if found else b"{}"
        self.kind = TYPES[found.suffix] if found else TYPES[".json"]
        if found and found.suffix == ".gz":
            self.answer = gzip.decompress(self.answer)

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: CaseUpstream
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        emulator = self.server.case.get("emulator", {})
        for word in emulator.get("rejects", ()):
            if f'"{word}"'.encode() in body:
                self._send(422, json.dumps({"error": {"message": f"unknown: {word}"}}).encode())
                return
        time.sleep(emulator.get("wait", 0))
        if self.server.kind == TYPES[".sse"] and "status" not in emulator:
            self._stream(emulator)
        else:
            self._send(emulator.get("status", 200), self.server.answer)

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", self.server.kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, emulator: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("content-type", self.server.kind)
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        separator = b"\r\n\r\n" if b"\r\n\r\n" in self.server.answer else b"\n\n"
        for number, event in enumerate(self.server.answer.split(separator)):
            if number == emulator.get("cut_after"):
                return
            time.sleep(emulator.get("delay", 0))
            try:
                self.wfile.write(event + separator)
            except OSError:
                return

    @override
    def log_message(self, *_: object) -> None:
        """No output."""


@contextmanager
def running_case_upstream() -> Iterator[CaseUpstream]:
    """The upstream on loopback."""
    with serving(CaseUpstream(("127.0.0.1", 0), _Handler)) as server:
        yield server

"""A ClickHouse server for tests: the engine in its own process, behind the HTTP interface.

No package provides a server; the engine is the same. It supports the part of the interface that the
driver uses.
"""

import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import clickhouse_connect
import lz4.frame
from clickhouse_connect.driver._backend.chdb_backend import CHDB_TRANSPORT_SETTINGS
from clickhouse_connect.driver.exceptions import ClickHouseError
from typing_extensions import override

from tests.program import kill_group, launch

TRANSPORT = {*CHDB_TRANSPORT_SETTINGS, "query", "query_id", "database", "user", "password"}


@contextmanager
def running_clickhouse(folder: Path, port: int = 0) -> Iterator[str]:
    """The URL of a server with its data in a folder, without the name of a database."""
    command = [sys.executable, "-m", "tests.clickhouse", str(folder), str(port)]
    process = launch(command, stderr=None)
    try:
        assert process.stdout is not None
        yield f"clickhouse://default:@127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        kill_group(process)


class Handler(BaseHTTPRequestHandler):
    """One request: a statement, its parameters and settings, and rows to insert, if any."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    client: Any
    turn = threading.Lock()

    def do_POST(self) -> None:
        """Run it and answer in the requested format."""
        body = self._read_body()
        if self.headers.get("content-encoding") == "lz4":
            body = lz4.frame.open(BytesIO(body)).read()  # one frame per block
        values = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        settings = {
            name: value
            for name, value in values.items()
            if name not in TRANSPORT and not name.startswith("param_")
        }
        parameters = {
            name.removeprefix("param_"): value
            for name, value in values.items()
            if name.startswith("param_")
        }
        try:
            with self.turn:
                answer = self._run(values, body, settings, parameters)
        except ClickHouseError as error:
            code = str(getattr(error, "code", None) or 1)
            self._answer(500, str(error).encode(), {"X-ClickHouse-Exception-Code": code})
        else:
            self._answer(200, answer, {"X-ClickHouse-Summary": json.dumps({"written_rows": "1"})})

    do_GET = do_POST

    def _read_body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", "0")))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _run(
        self, values: dict[str, str], body: bytes, settings: dict[str, str], parameters: Any
    ) -> bytes:
        database = values.get("database", "default")
        head, mark, rows = body.partition(b" FORMAT Native\n")
        insert = re.match(rb"INSERT INTO (\S+) ?\(([^)]*)\)$", head)
        if insert is None or not mark:
            found = self.client._backend._run_with_settings(
                body.decode(), "TabSeparated", settings, params=parameters, database=database
            )
            return bytes(found.bytes() or b"")
        table = insert[1].decode().strip("`")
        columns = [name.strip("` ") for name in insert[2].decode().split(",")]
        self.client.database = database
        self.client.raw_insert(table, columns, rows, settings, "Native")
        return b""

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, *_: Any) -> None:
        """No output."""


def main(folder: str, port: str) -> None:
    """Serve until killed."""
    Handler.client = clickhouse_connect.get_client(interface="chdb", path=folder)
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])

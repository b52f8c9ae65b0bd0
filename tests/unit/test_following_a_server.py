"""How commands handle a server's answer that ends too early or reports a failure."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import orjson
import pytest
from tests.http_server import serving
from typing_extensions import override

from outlay.cli.installation import RemoteInstallation
from outlay.cli.verify import show_verification
from outlay.domain.verification import Difference, VerifyReport
from outlay.services.server_info import ServerInfo
from outlay.wire.verification import parse_report, render_report

PROGRESS = {"progress": {"what": "checksums", "done": 1, "total": 2}}
REPORT = VerifyReport(
    events=2,
    days=1,
    cells=2,
    through_seq=2,
    cost_pusd=2**70,
    difference_count=1,
    differences=[Difference(where="here", measure="cost_pusd", ledger=2**70, cube=-(2**65))],
)


@contextmanager
def answering(*lines: object, is_whole: bool = True, status: int = 200) -> Iterator[ServerInfo]:
    """A server that answers with these lines, completely or cut short."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.send_response(status)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in lines:
                body = orjson.dumps(line) + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))
            if is_whole:
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = True

        @override
        def log_message(self, *_: object) -> None:
            pass

    with serving(HTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield ServerInfo(pid=1, url=f"http://127.0.0.1:{server.server_port}", token="t")


@pytest.mark.parametrize(
    ("lines", "is_whole", "status", "code", "message"),
    [
        ([PROGRESS, {"done": render_report(VerifyReport(events=7))}], True, 200, 0, ""),
        ([PROGRESS, {"done": render_report(REPORT)}], True, 200, 1, ""),
        (
            [PROGRESS, {"done": render_report(VerifyReport(damage="batch 3"))}],
            True,
            200,
            3,
            "batch 3",
        ),
        (
            [{"code": "busy", "detail": "a rebuild is running"}],
            True,
            409,
            4,
            "a rebuild is running",
        ),
        ([PROGRESS], False, 200, 5, "was lost"),
        ([PROGRESS], True, 200, 5, "was lost"),
        ([], True, 200, 5, "was lost"),
        (
            [PROGRESS, {"error": {"code": "failed", "message": "TypeError"}}],
            True,
            200,
            5,
            "TypeError",
        ),
        (["not what was agreed"], True, 200, 5, "TypeError"),
        ([], True, 500, 5, "status 500"),
    ],
)
def test_every_outcome_is_one_line_with_its_exit_code(
    lines: list[object],
    is_whole: bool,
    status: int,
    code: int,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with answering(*lines, is_whole=is_whole, status=status) as server:
        assert show_verification(RemoteInstallation(server)) == code

    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == (1 if message else 0)


def test_unreachable_server_has_its_own_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with answering() as server:
        pass
    assert show_verification(RemoteInstallation(server)) == 6
    assert "is unreachable" in capsys.readouterr().err


def test_report_with_sums_beyond_64_bits_round_trips() -> None:
    assert parse_report(orjson.loads(orjson.dumps(render_report(REPORT)))) == REPORT

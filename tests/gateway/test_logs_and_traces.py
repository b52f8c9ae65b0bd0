"""The logs of a server's requests, and its own traces."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from typing_extensions import override

from outlay.bootstrap.installation import open_installation
from outlay.domain.errors import Invalid
from outlay.kit.logs import FIELDS, JsonFormatter, TextFormatter
from outlay.settings import Settings, read_settings
from tests.gateway.conftest import PATIENCE, Gate, chat_body, serve, set_up
from tests.http_server import serving
from tests.program import kill_group, start, wait_for_server
from tests.upstream import Upstream

PROMPT = "a prompt that nobody may find in a log"


def access_lines(caplog: pytest.LogCaptureFixture, count: int) -> list[dict[str, Any]]:
    """The fields of so many access lines: a line is written after its response is sent."""
    deadline = time.monotonic() + 10
    while True:
        found = [record for record in caplog.records if record.name == "outlay.access"]
        if len(found) >= count:
            return [getattr(record, FIELDS) for record in found]
        assert time.monotonic() < deadline, caplog.records
        time.sleep(0.01)


def test_a_relayed_request_has_a_line_without_prompt_or_secret(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "outlay")
    gate.post(body={**chat_body(), "messages": [{"role": "user", "content": PROMPT}]})
    event = gate.event()
    gate.http.get(f"{gate.url}/invitation/a-secret-link", headers={"x-secret": PROMPT})

    relayed, page = access_lines(caplog, 2)
    assert relayed["route"] == "/v1/chat/completions"
    assert relayed["requestId"] == event.event_id
    assert relayed["principal"] == f"key:{gate.api_key.api_key_id}"
    assert relayed["organizationId"] == gate.organization.organization_id
    assert (relayed["method"], relayed["status"]) == ("POST", 200)
    assert page["route"] == "/invitation/{secret}"
    written = "".join(
        formatter.format(record)
        for record in caplog.records
        for formatter in (TextFormatter(), JsonFormatter())
    )
    for secret in (PROMPT, gate.key, "sk-openai-secret", "a-secret-link"):
        assert secret not in written


def test_call_without_a_valid_key_is_logged_without_principal(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "outlay.access")

    answer = gate.http.post(f"{gate.url}/v1/messages", headers={"x-api-key": "otl_x_y"})

    fields = access_lines(caplog, 1)[-1]
    assert (answer.status_code, fields["status"]) == (401, 401)
    assert "principal" not in fields
    assert fields["requestId"] == answer.headers["request-id"]


def test_api_route_has_its_prefix_and_an_alias_has_none(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "outlay.access")

    for path in ("/api/v1/analytics/members/mem_1", "/analytics/members/mem_1", "/mem_1"):
        gate.http.get(f"{gate.url}{path}")

    assert [fields["route"] for fields in access_lines(caplog, 3)] == [
        "/api/v1/analytics/members/{user_id}",
        "/analytics/members/{user_id}",
        "(none)",
    ]


@pytest.mark.parametrize("form", ["info", "info,json"])
def test_the_log_of_a_server_goes_to_standard_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv("OUTLAY_LOG", form)
    monkeypatch.setenv("OUTLAY_JOURNAL_EVENTS", "5")
    process = start("serve", "--data", tmp_path, "--port", "0")
    url = wait_for_server(tmp_path, process)["url"]

    assert httpx.get(f"{url}/login").status_code == 200
    process.terminate()
    output, log = process.communicate(timeout=30)

    kill_group(process)
    assert "/setup/" in output
    assert "/setup/" not in log
    if form == "info,json":
        lines = [json.loads(line) for line in log.splitlines()]
        assert {line["level"] for line in lines} == {"info", "warning"}
        assert any(line["logger"] == "uvicorn.error" for line in lines)
        assert any("OUTLAY_BUFFER_EVENTS" in line["message"] for line in lines)
        access = next(line for line in lines if line["logger"] == "outlay.access")
        assert (access["route"], access["status"]) == ("/login", 200)
    else:
        assert " INFO outlay.access: request requestId=req_" in log
        assert f"Outlay serves {tmp_path} at " in log


# Traces


@dataclass(slots=True)
class Collector:
    """An OTLP/HTTP receiver on loopback."""

    url: str = ""
    spans: list[tuple[str, dict[str, object]]] = field(default_factory=list)


@contextmanager
def collector() -> Iterator[Collector]:
    """Accepts requests to `/v1/traces` until the end of the context."""
    taken = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert self.path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        attributes = {
                            each.key: each.value.string_value or each.value.int_value
                            for each in span.attributes
                        }
                        taken.spans.append((span.name, attributes))
            self.send_response(200)
            self.end_headers()

        @override
        def log_message(self, format: str, *args: object) -> None:
            """No output."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        taken.url = f"http://127.0.0.1:{server.server_port}"
        yield taken


def test_requests_commits_and_cube_loads_are_traced(tmp_path: Path, upstream: Upstream) -> None:
    with collector() as taken:
        settings = Settings(data=tmp_path, proxy=PATIENCE, traces_url=f"{taken.url}/v1/traces")
        with open_installation(settings) as services, serve(services) as url:
            gate = set_up(services, url, upstream)
            with gate.http:
                gate.post()
                gate.event()
                gate.http.get(f"{url}/invitation/a-secret-link")
                services.projection.catch_up()

    spans = dict(taken.spans)
    relayed = spans["POST /v1/chat/completions"]
    assert relayed["http.response.status_code"] == 200
    assert relayed["http.route"] == "/v1/chat/completions"
    assert spans["ledger.commit"]["outlay.rows"]
    assert "cube.load" in spans
    assert "GET /invitation/{secret}" in spans
    assert "a-secret-link" not in str(taken.spans)


def test_traces_without_the_packages_name_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    settings = Settings(data=tmp_path, traces_url="http://127.0.0.1:4318/v1/traces")

    with pytest.raises(Invalid, match=r"pip install 'outlay\[tracing\]'"):
        open_installation(settings).__enter__()


def test_endpoint_for_other_programs_turns_no_traces_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clusters set it for every program."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
    with open_installation(read_settings(data=tmp_path)) as services:
        assert services.tracer is None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "outlay.example.com:443"])
def test_traces_are_never_sent_to_the_server_itself(tmp_path: Path, host: str) -> None:
    scheme, port = ("https", "") if ":" in host else ("http", ":4100")
    own = f"{scheme}://{host}{port}"
    settings = Settings(data=tmp_path, public_url="https://outlay.example.com")

    with (
        pytest.raises(Invalid, match="address of this server"),
        open_installation(replace(settings, traces_url=f"{own}/v1/traces")),
    ):
        pass


def test_opentelemetry_is_not_loaded_without_a_collector() -> None:
    code = "import outlay.cli.main, outlay.web.app, sys; print('opentelemetry.sdk' in sys.modules)"

    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert found.stdout == "False\n"

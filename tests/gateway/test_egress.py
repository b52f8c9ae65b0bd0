"""Upstreams that flood, loop back, or have forbidden addresses; and which headers are passed on."""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from outlay.bootstrap.installation import open_installation
from outlay.domain.errors import Invalid
from outlay.domain.event import Status
from outlay.kit.connection import MAX_INFORMATIONAL
from outlay.kit.egress import parse_egress
from outlay.services.directory.own_address import OwnAddress
from outlay.settings import Settings, read_settings
from outlay.web.proxy.loop_detection import MAX_HOPS, LoopDetector
from tests.gateway.conftest import PATIENCE, Gate, chat_body, serve, set_up
from tests.upstream import Upstream

HINT = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"


@contextmanager
def upstream_of(gate: Gate, base_url: str, secret: str | None = None) -> Iterator[str]:
    """Another upstream of the organization, for the duration of the block; yields its name."""
    upstreams = gate.administration.upstreams
    added = upstreams.create(gate.operator, provider="meta", base_url=base_url, secret=secret)
    gate.services.watch.check()
    yield added.name
    upstreams.delete(gate.operator, added.upstream_id)
    gate.services.watch.check()


def test_few_informational_responses_are_skipped(gate: Gate) -> None:
    body = '{"usage": {"prompt_tokens": 1, "completion_tokens": 2}}'
    end = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    script = {"raw": HINT * MAX_INFORMATIONAL + end + body}
    answer = gate.post(script=script)
    assert (answer.status_code, answer.text) == (200, body)
    assert gate.event().output_tokens == 2


def test_too_many_informational_responses_are_refused(gate: Gate) -> None:
    answer = gate.post(body=chat_body(script={"raw": HINT * (MAX_INFORMATIONAL + 1)}))
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_garbled")
    event = gate.event()
    assert (event.status, event.error_code) == (Status.UPSTREAM_ERROR, "upstream-garbled")


def test_flood_of_informational_responses_blocks_nobody(gate: Gate) -> None:
    """They are sent for as long as the connection lasts, by four upstreams at once."""
    body = chat_body(script={"informational": 10_000_000})
    waits: list[float] = []
    with ThreadPoolExecutor(4) as threads, httpx.Client() as other:
        other.get(f"{gate.url}/healthz")
        answers = [threads.submit(gate.post, body=body) for _ in range(4)]
        while not all(answer.done() for answer in answers):
            begun = time.monotonic()
            assert other.get(f"{gate.url}/healthz").status_code == 200
            waits.append(time.monotonic() - begun)
    assert {answer.result().status_code for answer in answers} == {502}
    assert statistics.fmean(waits) < 0.5
    assert {event.error_code for event in gate.events(4)} == {"upstream-garbled"}


def test_gateway_as_its_own_upstream_is_detected(gate: Gate) -> None:
    with upstream_of(gate, f"{gate.url}/v1", gate.key) as name:
        answer = gate.post(body=chat_body(model=f"{name}/openai/gpt-5.5"))
        around = gate.http.get(f"{gate.url}/v1/models", headers=gate.headers)
    assert (answer.status_code, answer.headers["x-should-retry"]) == (508, "false")
    assert answer.json()["error"]["code"] == "loop_detected"
    assert gate.upstream.served == [] or gate.upstream.served[-1].path == "/v1/models"
    inner, outer = gate.events(2)
    assert (inner.error_code, inner.http_status) == ("loop-detected", 508)
    assert (outer.error_code, outer.status) == ("upstream-508", Status.UPSTREAM_ERROR)
    assert around.status_code == 200


def test_loop_error_is_in_the_anthropic_format(gate: Gate) -> None:
    with upstream_of(gate, f"{gate.url}/v1", gate.key) as name:
        body = {"model": f"{name}/claude-sonnet-5", "max_tokens": 1, "messages": []}
        answer = gate.post("/v1/messages", body)
    assert (answer.status_code, answer.json()["type"]) == (508, "error")
    gate.events(2)


def test_chain_of_different_gateways_is_allowed(
    gate: Gate, tmp_path: Path, upstream: Upstream
) -> None:
    settings = Settings(data=tmp_path / "other", proxy=PATIENCE)
    with open_installation(settings) as services, serve(services) as url:
        other = set_up(services, url, upstream)
        with upstream_of(gate, f"{url}/v1", other.key) as name:
            answer = gate.post(body=chat_body(model=f"{name}/openai/gpt-5.5"))
        assert answer.status_code == 200
        hops = gate.upstream.last.headers["x-outlay-hops"].split(", ")
        assert len(set(hops)) == 2
    assert gate.event().output_tokens == 5


def test_chain_length_is_bounded() -> None:
    hops = ""
    for number in range(MAX_HOPS + 1):
        hops = LoopDetector(f"ledger {number}").next_hops({b"x-outlay-hops": hops.encode()})
    with pytest.raises(Invalid, match="passed through 5 gateways"):
        LoopDetector("another").next_hops({b"x-outlay-hops": hops.encode()})
    junk = b"evil\xff, 0123456789abcdef"
    assert LoopDetector("a").next_hops({b"x-outlay-hops": junk}).startswith("0123456789abcdef, ")


@pytest.mark.parametrize(
    ("url", "is_own"),
    [
        ("http://127.0.0.1:4199/v1", True),
        ("http://localhost:4199", True),
        ("http://[::1]:4199/v1", True),
        ("https://127.0.0.1:4199/v1", True),
        ("http://127.0.0.1:4198/v1", False),
        ("https://outlay.example.com/v1", True),
        ("https://OUTLAY.example.com:443/v1", True),
        ("http://outlay.example.com/v1", False),
        ("https://api.openai.com/v1", False),
    ],
)
def test_own_addresses_are_recognised(tmp_path: Path, url: str, is_own: bool) -> None:
    settings = Settings(data=tmp_path, public_url="https://outlay.example.com", worker=1)
    tmp_path.joinpath("server.json").write_text(
        '{"pid": 77, "url": "http://127.0.0.1:4199", "token": "x"}'
    )
    tmp_path.joinpath("outlay.lock").write_text("77")
    assert OwnAddress(settings).includes(url) is is_own


def test_own_address_is_refused_in_settings(tmp_path: Path, upstream: Upstream) -> None:
    settings = Settings(data=tmp_path, public_url="https://outlay.example.com")
    with open_installation(settings) as services:
        gate = set_up(services, "", upstream)
        with pytest.raises(Invalid) as caught:
            gate.administration.upstreams.create(
                gate.operator, provider="meta", base_url="https://outlay.example.com/v1"
            )
    assert (caught.value.code, caught.value.field) == ("own-address", "baseUrl")


def test_private_addresses_can_be_forbidden(tmp_path: Path, upstream: Upstream) -> None:
    """Also for upstreams that were configured before."""
    settings = Settings(data=tmp_path / "data", proxy=PATIENCE)
    with open_installation(settings) as services:
        key = set_up(services, "", upstream).key
    closed = replace(settings, egress=parse_egress("refuse"))
    upstream.served.clear()
    with open_installation(closed) as services, serve(services) as url:
        upstreams = services.administration.upstreams
        headers = {"authorization": f"Bearer {key}"}
        answer = httpx.post(f"{url}/v1/chat/completions", json=chat_body(), headers=headers)
        with pytest.raises(Invalid, match="this installation does not allow the address"):
            upstreams.create(operator(services), provider="ollama")
        with pytest.raises(Invalid, match="does not allow"):
            upstreams.create(
                operator(services), provider="meta", base_url="http://[::ffff:10.0.0.1]/v1"
            )
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "upstream_forbidden_address"
    assert answer.headers["x-should-retry"] == "false"
    assert upstream.served == []
    own = replace(settings, egress=parse_egress("127.0.0.0/8"))
    with open_installation(own) as services, serve(services) as url:
        answer = httpx.post(f"{url}/v1/chat/completions", json=chat_body(), headers=headers)
    assert answer.status_code == 200


def operator(services: Any) -> Any:
    """The operator of the only organization."""
    from outlay.domain.organization import operator_of

    return operator_of(services.administration.organizations.find_by_name(None))


def test_egress_setting_is_validated() -> None:
    read = {"OUTLAY_PRIVATE_UPSTREAMS": "10.0.0.0/8, 127.0.0.1"}
    assert read_settings(environment=read).egress.exceptions
    with pytest.raises(Invalid, match="OUTLAY_PRIVATE_UPSTREAMS must be allow, refuse"):
        read_settings(environment={"OUTLAY_PRIVATE_UPSTREAMS": "no"})


TO_PROVIDER = {
    "cf-connecting-ip": "9.9.9.9",
    "cf-ray": "x",
    "true-client-ip": "9.9.9.9",
    "x-client-ip": "9.9.9.9",
    "fly-client-ip": "9.9.9.9",
    "x-cluster-client-ip": "9.9.9.9",
    "x-real-ip": "9.9.9.9",
    "forwarded": "for=9.9.9.9",
    "referer": "http://internal/x?token=1",
    "x-csrf-token": "q",
    "x-xsrf-token": "q",
    "x-original-url": "/admin",
    "x-rewrite-url": "/admin",
    "x-amz-security-token": "z",
    "x-amzn-trace-id": "z",
    "x-outlay-hops": "nobody",
    "sec-ch-ua": "x",
}


def test_client_identity_is_not_sent_to_the_provider(gate: Gate) -> None:
    gate.post(**TO_PROVIDER, **{"http-referer": "https://app.example", "x-title": "App"})
    sent = gate.upstream.last.headers
    assert not (sent.keys() & TO_PROVIDER.keys()) - {"x-outlay-hops"}
    assert "nobody" not in sent["x-outlay-hops"]
    assert sent["http-referer"] == "https://app.example"  # which providers require
    gate.event()


FROM_PROVIDER = {
    "X-Outlay-Request-Id": "forged",
    "X-Outlay-Anything": "forged",
    "Set-Cookie": "outlay_session=evil",
    "Clear-Site-Data": '"*"',
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Credentials": "true",
    "Content-Security-Policy": "x",
    "NEL": "{}",
    "Report-To": "{}",
    "Reporting-Endpoints": 'a="https://evil.example"',
    "Cross-Origin-Opener-Policy": "unsafe-none",
    "Refresh": "0; url=https://evil.example",
    "Service-Worker-Allowed": "/",
    "X-Accel-Redirect": "/etc/passwd",
    "X-Sendfile": "/etc/passwd",
    "WWW-Authenticate": "Basic",
    "Sec-WebSocket-Accept": "x",
}


def test_provider_headers_for_our_origin_are_removed(gate: Gate) -> None:
    useful = {"x-ratelimit-remaining": "7", "request-id": "req_1", "retry-after": "3"}
    answer = gate.post(
        body=chat_body(script={"status": 200, "headers": {**FROM_PROVIDER, **useful}})
    )
    request_id = gate.event().event_id
    assert answer.headers.get_list("x-outlay-request-id") == [request_id]
    forbidden = {name.lower() for name in FROM_PROVIDER} - {"x-outlay-request-id"}
    assert not forbidden & {name.lower() for name in answer.headers}
    assert useful.items() <= dict(answer.headers).items()

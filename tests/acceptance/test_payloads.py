"""Malicious text: SQL, formulas, headers, in every place where users can enter text."""

import csv
import io
import socket
from typing import Any

import httpx
import pytest
from tests.acceptance.conftest import Server
from tests.acceptance.world import World, make_world

from outlay.domain.actor import Role

SQL = (
    "' OR '1'='1",
    "'; DROP TABLE member; --",
    '" OR ""="',
    "1; ATTACH DATABASE 'x' AS y; --",
    "' UNION SELECT secret FROM access_token --",
    "%' AND 1=1 --",
    "_%",
    "x') OR ('1'='1",
    "$$; SELECT 1; $$",
    "\\'; --",
)
FORMULAS = (
    "=1+1",
    '=HYPERLINK("http://evil.test","x")',
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(A1:A9)",
    '=cmd|"/c calc"!A1',
    "＝1+1",
    '"=1+1"',
    "a\u00a0=b,c;d",
)
HEADERS = (
    "x\r\nSet-Cookie: outlay_session=evil",
    "x\nLocation: http://evil.test",
    "x\r\n\r\n<script>alert(1)</script>",
    "x%0d%0aSet-Cookie:%20a=b",
    "x\u2028y",
    "x\x00y",
)


@pytest.fixture(scope="module")
def world(server: Server) -> World:
    """An organization."""
    return make_world(server)


def bodies(text: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Requests with a text in every possible field."""
    return [
        ("POST", "/api/v1/projects", {"name": text}),
        ("POST", "/api/v1/groups", {"name": text}),
        ("POST", "/api/v1/tokens", {"description": text, "scopes": ["usage:read"]}),
        ("POST", "/api/v1/prices", {"model": text, "input": "1"}),
        ("POST", "/api/v1/prices", {"model": "m", "input": "1", "context": {text: text}}),
        (
            "POST",
            "/api/v1/prices",
            {"provider": text, "percentOfList": "85", "percents": {text: "1"}},
        ),
        ("POST", "/api/v1/prices", {"provider": "p", "meters": {text: "1"}, "currency": text}),
        ("POST", "/api/v1/exchange-rates", {"currency": text, "usd": "1"}),
        ("POST", "/api/v1/invitations", {"email": text}),
        ("POST", "/api/v1/upstreams", {"provider": text}),
        ("POST", "/api/v1/upstreams", {"provider": "openai", "name": text}),
        ("POST", "/api/v1/upstreams", {"provider": "openai", "name": "n", "baseUrl": text}),
        ("POST", "/api/v1/api-keys", {"projectId": text, "description": text}),
        ("PUT", "/api/v1/limits", limit_of(text)),
        ("PUT", "/api/v1/sso", {"issuer": "https://id.test", "clientId": text, "secret": "s"}),
        ("PATCH", "/api/v1/me", {"name": text}),
        ("PATCH", "/api/v1/organization", {"slug": text}),
        ("PATCH", "/api/v1/organization", {"timezone": text}),
    ]


def limit_of(text: str) -> dict[str, str]:
    return {"scope": "project", "scopeId": text, "interval": "day", "amountUsd": "1"}


@pytest.mark.parametrize("text", [*SQL, *FORMULAS, *HEADERS], ids=ascii)
def test_hostile_text_is_stored_unchanged_or_refused(world: World, text: str) -> None:
    http, headers = world.server.http, world.people[Role.OWNER].bearer
    before = counts(world)

    for method, path, body in bodies(text):
        answer = http.request(method, path, json=body, headers=headers)
        assert answer.status_code in {200, 201, 400, 404, 409}, (path, answer.text)
        if answer.is_success and "name" in answer.json():
            assert answer.json()["name"] in {text, text.strip()}
        assert "set-cookie" not in answer.headers
        assert "location" not in answer.headers
        if answer.status_code == 400:
            assert answer.json()["field"]
    for kind, count in counts(world).items():
        assert count >= before[kind], kind


def counts(world: World) -> dict[str, int]:
    """The number of objects of each kind: nothing may be lost."""
    http, headers = world.server.http, world.people[Role.OWNER].bearer
    return {
        kind: len(next(iter(http.get(f"/{kind}", headers=headers).json().values())))
        for kind in ("projects", "groups", "tokens", "prices", "members", "api-keys", "upstreams")
    }


@pytest.mark.parametrize("text", [*SQL, *FORMULAS, *HEADERS], ids=ascii)
def test_hostile_text_in_ids_and_filters_has_no_effect(world: World, text: str) -> None:
    http, headers = world.server.http, world.people[Role.OWNER].bearer
    escaped = httpx.QueryParams({"x": text})["x"]

    for path in ("/api/v1/members", "/api/v1/api-keys"):
        url = httpx.URL(f"{world.server.url}{path}").join(
            f"{path}/" + "".join(f"%{byte:02x}" for byte in escaped.encode())
        )
        assert http.get(url, headers=headers).status_code in {404, 405}
    found = http.get("/api/v1/audit", params={"target": text}, headers=headers)
    assert (found.status_code, found.json().get("entries")) == (200, [])
    assert http.get("/api/v1/audit", params={"action": text}, headers=headers).status_code == 400
    assert (
        http.get("/api/v1/exports/audit.csv", params={"actor": text}, headers=headers).text.count(
            "\n"
        )
        == 1
    )
    limit = {"scope": "project", "scopeId": text, "interval": "day"}
    for gone, params in (("/api/v1/model-mappings", {"name": text}), ("/api/v1/limits", limit)):
        assert http.delete(gone, params=params, headers=headers).status_code == 404


def test_audit_export_contains_no_formulas(world: World) -> None:
    http, headers = world.server.http, world.people[Role.OWNER].bearer
    for number, text in enumerate(FORMULAS):
        created = http.post("/api/v1/projects", json={"name": f"p{number}"}, headers=headers).json()
        http.patch(f"/api/v1/projects/{created['projectId']}", json={"name": text}, headers=headers)
        http.patch("/api/v1/me", json={"name": text}, headers=headers)

    rows = list(
        csv.reader(io.StringIO(http.get("/api/v1/exports/audit.csv", headers=headers).text))
    )

    assert len(rows) > 2 * len(FORMULAS)
    assert [cell for row in rows for cell in row if cell[:1] in {"=", "+", "-", "@", "\t"}] == []
    assert any("HYPERLINK" in cell for row in rows for cell in row)


HIDDEN = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
"""Another user's request, if a proxy in front reads the ambiguous one before it as longer."""


@pytest.mark.parametrize(
    "head",
    [
        "GET /api/v1/me HTTP/1.1\r\nHost: x\r\nContent-Length: 70\r\nTransfer-Encoding: chunked",
        "POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 70",
        "POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity",
        "POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked",
        "POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked",
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: +5",
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5",
        "GET /api/v1/me HTTP/1.1\r\nHost: x\r\nX-A: b\r\n Content-Length: 70",
        "GET /api/v1/me HTTP/1.1\r\nHost: x\r\nX-A\x00B: c",
        "GET /api/v1/me HTTP/1.1\r\nHost: x\nContent-Length: 70",
        "GET /api/v1/me HTTP/1.1\r\nHost: x\r\nHost: y",
        "GET /api/v1/me HTTP/1.1\r\nX-A: b",
    ],
    ids=ascii,
)
@pytest.mark.parametrize("body", [b"", b"0\r\n\r\n", b"5\r\nabcde\r\n0\r\n\r\n"], ids=ascii)
def test_request_smuggling_is_not_possible(server: Server, head: str, body: bytes) -> None:
    answer = exchange(server, head.encode("latin-1") + b"\r\n\r\n" + body + HIDDEN)

    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 "))
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b'"openapi"' not in answer


@pytest.mark.parametrize(
    "target",
    [
        "/login?next=/%0d%0aSet-Cookie:%20a=b",
        "/organization/analytics?preset=%0d%0aSet-Cookie:%20a=b",
        "/monitoring/audit?target=%0d%0aLocation:%20http://evil.test",
        "/%0d%0aSet-Cookie:%20a=b",
        "/settings/%0d%0a%0d%0a<script>",
    ],
)
def test_hostile_text_cannot_inject_response_headers(server: Server, target: str) -> None:
    request = f"GET {target} HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
    head = exchange(server, request.encode()).partition(b"\r\n\r\n")[0].lower()

    names = {line.partition(b":")[0] for line in head.split(b"\r\n")[1:]}
    assert b"set-cookie" not in names
    assert b"evil.test" not in head.replace(b"%3a", b":").partition(b"location: /login")[0]


def exchange(server: Server, request: bytes) -> bytes:
    """The complete response to some bytes."""
    address = ("127.0.0.1", httpx.URL(server.url).port or 0)
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(request)
        connection.settimeout(1)
        return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    """What comes until nothing more does."""
    received = b""
    try:
        while chunk := connection.recv(65_536):
            received += chunk
    except TimeoutError:
        pass
    return received

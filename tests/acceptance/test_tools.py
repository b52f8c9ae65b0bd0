"""Spreadsheets and BI tools: HEAD, Basic authentication, files without a trailer."""

import base64
import csv
import io
import json
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_activity_oracle import store
from tests.acceptance.test_reports import sheet
from tests.acceptance.world import make_world
from tests.factories import NOW, make_event

from outlay.domain.actor import Role
from outlay.domain.event import join_groups
from outlay.kit.clock import to_us

WINDOW = {"from": "2026-11-01", "to": "2026-11-30"}
FILES = [
    "/api/v1/exports/report",
    "/api/v1/exports/users",
    "/api/v1/exports/activity.csv",
    "/api/v1/exports/me.csv",
]


@pytest.fixture(scope="module")
def tenant(server: Server) -> Tenant:
    """An organization with a few requests of users who are in two groups, one or none."""
    opened = server.tenant()
    events = [
        make_event(
            event_time_us=to_us(NOW) - number * 7_200_000_000,
            user_id=f"mem_{number % 3}",
            groups=[join_groups(["g1", "g2"]), "g1", ""][number % 3],
            cost_pusd=1_000_000_000_001,
            input_tokens=number,
        )
        for number in range(30)
    ]
    store(server, opened, events)
    return opened


def get(server: Server, tenant: Tenant, path: str = FILES[0], **params: Any) -> httpx.Response:
    given = {**WINDOW, **params}
    answer = server.http.get(path, params=given, headers=tenant.headers)
    assert answer.status_code == 200, answer.text
    return answer


# HEAD


def readable(server: Server, tenant: Tenant) -> list[str]:
    """Every path that can be read without an id."""
    paths = server.http.get("/openapi.json").json()["paths"]
    found = [path for path, methods in paths.items() if "get" in methods and "{" not in path]
    return [path for path in found if server.http.get(path, headers=tenant.headers).is_success]


def test_head_equals_get_without_a_body(server: Server, tenant: Tenant) -> None:
    paths = readable(server, tenant)
    assert len(paths) > 30
    for path in paths:
        whole = server.http.get(path, headers=tenant.headers)
        head = server.http.head(path, headers=tenant.headers)
        assert (head.status_code, head.content) == (200, b""), path
        known = {"date", "x-request-id", "content-length", "content-encoding", "vary"}
        for name in head.headers.keys() - known - {"transfer-encoding"}:
            assert head.headers[name] == whole.headers[name], (path, name)


@pytest.mark.parametrize("path", FILES)
def test_head_of_a_file_does_not_create_it(
    server: Server, tenant: Tenant, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("reports", "analytics"):
        service = getattr(server.services, name)
        for work in ("write", "write_table", "breakdown"):
            monkeypatch.setattr(service, work, None, raising=False)

    head = server.http.head(path, params=WINDOW, headers=tenant.headers)

    assert head.status_code == 200
    assert head.headers["accept-ranges"] == "none"
    assert "2026-11-01-2026-11-30" in head.headers["content-disposition"]
    assert "content-length" not in head.headers


def test_head_is_refused_like_get(server: Server, tenant: Tenant) -> None:
    developer = server.tenant(role=Role.DEVELOPER)
    path = FILES[0]

    assert server.http.head(path).status_code == 401
    assert server.http.head(path, headers=developer.headers).status_code == 403
    bad = {"metrics": "beauty"}
    assert server.http.head(path, params=bad, headers=tenant.headers).status_code == 400
    forged = {"cursor": "x"}
    assert server.http.head(path, params=forged, headers=tenant.headers).status_code == 400
    assert server.http.head("/nothing", headers=tenant.headers).status_code == 404
    assert server.http.head("/v1/usage/events", headers=tenant.headers).status_code == 405
    page = server.http.head("/settings", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=%2Fsettings")


# Basic authentication


def basic(text: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


@pytest.mark.parametrize(
    "path", ["/api/v1/analytics/summary", "/api/v1/me", "/api/v1/requests", FILES[0]]
)
def test_token_is_accepted_as_basic_password(server: Server, tenant: Tenant, path: str) -> None:
    for user in ("", "someone@example.test", "Jürgen"):
        assert server.http.get(path, headers=basic(f"{user}:{tenant.token}")).status_code == 200
    for wrong in (tenant.token, f"{tenant.token}:", f"a:{tenant.token}x", "a:b", "a:ota_x_y"):
        assert server.http.get(path, headers=basic(wrong)).status_code == 401, wrong
    for broken in ("Basic", "Basic ???", "Basic /w=="):
        answer = server.http.get(path, headers={"Authorization": broken})
        assert answer.status_code == 401


def test_basic_password_allows_ingest_but_not_relaying(server: Server, tenant: Tenant) -> None:
    headers = basic(f"any:{tenant.token}")
    sent = server.http.post("/v1/usage/events", json=[], headers=headers)
    relayed = server.http.post("/v1/chat/completions", json={"model": "a"}, headers=headers)
    operation = server.http.post("/api/v1/operations/verify", headers=basic("any:operator-secret"))

    assert sent.status_code != 401
    assert relayed.status_code == 401
    assert "basic" not in relayed.headers.get("www-authenticate", "").lower()
    assert operation.status_code == 401


def test_refusal_offers_both_schemes_except_for_pages(server: Server) -> None:
    """A browser that is offered Basic would ask for a password over the page."""
    told = server.http.get("/api/v1/me").headers["www-authenticate"]
    page = server.http.get("/api/v1/me", headers={"Sec-Fetch-Site": "same-origin"})

    assert told == 'Bearer realm="Outlay", Basic realm="Outlay", charset="UTF-8"'
    assert page.headers["www-authenticate"] == 'Bearer realm="Outlay"'


def test_basic_credentials_of_a_proxy_do_not_sign_out(server: Server) -> None:
    """The proxy requires Basic itself, and passes it on along with the session's cookie."""
    person = make_world(server).people[Role.OWNER]
    headers = {"Cookie": f"outlay_session={person.session}", **basic("team:shared-password")}

    assert server.http.get("/api/v1/me", headers=headers).status_code == 200


# Files without a trailer


def test_file_without_trailer_has_only_rows(server: Server, tenant: Tenant) -> None:
    question = {"groupBy": "user", "metrics": "cost,requestCount", "trailer": "none"}
    lines = get(server, tenant, **question)
    rows = list(csv.DictReader(io.StringIO(lines.text)))

    assert [row["user"] for row in rows] == ["mem_0", "mem_1", "mem_2"]
    told = json.loads(lines.headers["outlay-trailer"], parse_float=Decimal)
    assert told["totals"] == {"cost": Decimal("30.00000000003"), "requestCount": 30}
    assert sum(Decimal(row["cost"]) for row in rows) == told["rowTotals"]["cost"]
    plain = get(server, tenant, groupBy="user", metrics="cost,requestCount")
    assert "outlay-trailer" not in plain.headers
    assert plain.text.startswith(lines.text)
    assert plain.headers["outlay-rows-sha256"] == lines.headers["outlay-rows-sha256"]
    objects = get(server, tenant, **{**question, "format": "ndjson", "money": "text"})
    assert [json.loads(line)["cost"] for line in objects.text.splitlines()] == [
        row["cost"] for row in rows
    ]
    whole = get(server, tenant, **{**question, "format": "json"}).json()
    assert sorted(whole) == ["groupBy", "meta", "rows"]


def test_duckdb_reads_csv_and_ndjson(server: Server, tenant: Tenant, tmp_path: Path) -> None:
    question = {"groupBy": "user", "bucket": "day", "trailer": "none"}
    for kind, reader in (("csv", "read_csv"), ("ndjson", "read_json")):
        path = tmp_path / f"report.{kind}"
        path.write_bytes(get(server, tenant, format=kind, **question).content)
        found = duckdb.sql(
            f"SELECT sum(requestCount), max(date) FROM {reader}('{path}')"
        ).fetchone()
        assert found is not None
        assert (found[0], str(found[1])) == (30, "2026-11-20")


def test_counts_beyond_64_bits_are_decimals(server: Server, tmp_path: Path) -> None:
    tenant = server.tenant()
    event = make_event(event_time_us=to_us(NOW) - 7_200_000_000, duration_us=2**62)
    store(
        server,
        tenant,
        [
            event,
            *(make_event(event_time_us=event.event_time_us, duration_us=2**62) for _ in range(2)),
        ],
    )
    path = tmp_path / "large.parquet"
    metrics = "durationUs,timedRequestCount"
    path.write_bytes(get(server, tenant, format="parquet", metrics=metrics).content)

    relation = duckdb.sql(f"SELECT durationUs, timedRequestCount FROM '{path}'")

    assert list(map(str, relation.types)) == ["DECIMAL(38,0)", "BIGINT"]
    assert relation.fetchone() == (3 * 2**62, 3)


# Groups overlap


def test_file_by_group_states_the_overlap(server: Server, tenant: Tenant) -> None:
    question = {"groupBy": "group", "metrics": "cost,requestCount", "format": "json"}
    trailer = json.loads(get(server, tenant, **question).text, parse_float=Decimal)["trailer"]

    assert trailer["groupsOverlap"]
    assert trailer["rowTotals"]["requestCount"] == 40
    assert trailer["totals"]["requestCount"] == 30
    assert trailer["overlap"] == {"cost": Decimal("10.00000000001"), "requestCount": 10}
    page = json.loads(get(server, tenant, **question, limit=1).text)["trailer"]
    assert "overlap" not in page


def test_sheet_by_group_explains_its_sum(server: Server, tenant: Tenant) -> None:
    question = {"groupBy": "group,user", "metrics": "requestCount", "format": "xlsx"}
    book = zipfile.ZipFile(io.BytesIO(get(server, tenant, **question).content))

    for number, rows in ((1, 4), (2, 3)):
        head, *lines = sheet(book, number)
        assert head[0] == "groupLabel"
        assert len(lines) == rows + 4
        told = {line[0]: float(line[-1]) for line in lines[rows + 1 :]}
        assert told == {
            "Sum of these rows": 40,
            "Counted in more than one group (overlap)": 10,
            "Total, every request once": 30,
        }
    bare = zipfile.ZipFile(io.BytesIO(get(server, tenant, **question, trailer="none").content))
    assert len(sheet(bare, 1)) == 5
    assert "xl/worksheets/sheet2.xml" not in bare.namelist()

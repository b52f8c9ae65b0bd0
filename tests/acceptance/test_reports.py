"""Reports: every format has the same rows, documents itself, and proves that it is complete."""

import base64
import csv
import hashlib
import io
import json
import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import pytest
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_activity_oracle import store
from tests.factories import NOW, make_event

from outlay.kit.clock import to_us
from outlay.services.analytics.exports import ReportFormat

WINDOW = {"from": "2026-11-01", "to": "2026-11-30", "timezone": "Asia/Kathmandu"}
PARTS = {"groupBy": "user,app", "bucket": "day", "metrics": "cost,requestCount,totalTokens"}
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture(scope="module")
def tenant(server: Server) -> Tenant:
    """An organization with costs of many digits and names that look like formulas."""
    opened = server.tenant()
    events = [
        make_event(
            event_time_us=to_us(NOW) - number * 7_200_000_000,
            user_id=["mem_a", "=1+1", "", '日本, "x"\n'][number % 4],
            app=["web", "-cli", "'quoted"][number % 3],
            cost_pusd=123_456_789_012_345_678 + number,
            input_tokens=number,
        )
        for number in range(150)
    ]
    store(server, opened, events)
    return opened


def fetch(server: Server, tenant: Tenant, **params: Any) -> Any:
    answer = server.http.get(
        "/api/v1/exports/report", params={**WINDOW, **PARTS, **params}, headers=tenant.headers
    )
    assert answer.status_code == 200, answer.text
    return answer


def rows_of(server: Server, tenant: Tenant, **params: Any) -> list[dict[str, Any]]:
    """The rows, from lines of JSON."""
    lines = fetch(server, tenant, format="ndjson", **params).text.splitlines()[:-1]
    return [json.loads(line, parse_float=Decimal) for line in lines]


@pytest.mark.parametrize("kind", list(ReportFormat))
def test_every_format_has_the_same_rows(server: Server, tenant: Tenant, kind: ReportFormat) -> None:
    answer = fetch(server, tenant, format=kind)
    lines = fetch(server, tenant, format="ndjson")
    digest = base64.b64encode(hashlib.sha256(answer.content).digest()).decode()

    assert answer.headers["content-type"].startswith(kind.media_type.partition(";")[0])
    assert answer.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["outlay-rows-sha256"] == lines.headers["outlay-rows-sha256"]
    assert f'.{kind}"' in answer.headers["content-disposition"]
    body, _, _ = lines.content.rpartition(b'{"trailer"')
    assert hashlib.sha256(body).hexdigest() == answer.headers["outlay-rows-sha256"]


def test_csv_round_trips(server: Server, tenant: Tenant) -> None:
    rows = rows_of(server, tenant)
    head, *cells, last = csv.reader(io.StringIO(fetch(server, tenant, format="csv").text))

    assert head == list(rows[0])
    read = [{n: c.removeprefix("'") for n, c in zip(head, line, strict=True)} for line in cells]
    assert [row["user"] for row in read] == [row["user"] for row in rows]
    assert [Decimal(row["cost"]) for row in read] == [row["cost"] for row in rows]
    assert all(not cell.startswith(("=", "+", "-", "@")) for line in cells for cell in line)
    assert last[0] == "#trailer"
    trailer = json.loads(last[1], parse_float=Decimal)
    assert trailer["rowCount"] == len(rows)
    assert trailer["totals"] == trailer["rowTotals"]
    assert trailer["totals"]["requestCount"] == 150
    assert trailer["totals"]["cost"] == sum(row["cost"] for row in rows)


def test_parquet_is_exact_decimals(server: Server, tenant: Tenant, tmp_path: Path) -> None:
    path = tmp_path / "report.parquet"
    path.write_bytes(fetch(server, tenant, format="parquet").content)
    rows = rows_of(server, tenant)

    found = duckdb.sql(f"SELECT date::VARCHAR, epoch(start), * EXCLUDE (date, start) FROM '{path}'")
    columns = duckdb.sql(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
    months = duckdb.sql(f"SELECT month(date), sum(cost) FROM '{path}' GROUP BY 1").fetchall()
    told = duckdb.sql(f"SELECT key, value FROM parquet_kv_metadata('{path}')").fetchall()

    assert found.fetchall() == [
        (row.pop("date"), datetime.fromisoformat(row.pop("start")).timestamp(), *row.values())
        for row in (dict(row) for row in rows)
    ]
    types = {column[0]: column[1] for column in columns}
    assert types == {
        "date": "DATE",
        "start": "TIMESTAMP WITH TIME ZONE",
        **dict.fromkeys(["user", "userLabel", "app", "appLabel"], "VARCHAR"),
        "cost": "DECIMAL(38,12)",
        "requestCount": "BIGINT",
        "totalTokens": "BIGINT",
    }
    assert months == [(11, sum(row["cost"] for row in rows))]
    metadata = {key.decode(): json.loads(value) for key, value in told}
    assert metadata["outlay"]["rowCount"] == len(rows)
    assert metadata["outlay"]["meta"]["timezone"] == "Asia/Kathmandu"


def test_spreadsheet_has_all_digits_of_the_totals(server: Server, tenant: Tenant) -> None:
    book = zipfile.ZipFile(io.BytesIO(fetch(server, tenant, format="xlsx").content))
    rows = rows_of(server, tenant)
    first, _, third = (sheet(book, number) for number in (1, 2, 3))

    head, lines, (_, total) = first[0], first[1 : len(rows) + 1], first[len(rows) + 1 :]
    names = {"user": "userLabel", "userLabel": "user", "app": "appLabel", "appLabel": "app"}
    assert head == [names.get(name, name) for name in rows[0]]
    for line, row in zip(lines, rows, strict=True):
        # A serial is the number of days since the end of 1899 (ECMA-376, 18.17.4.1).
        assert date(1899, 12, 30) + timedelta(days=int(line[0])) == date.fromisoformat(row["date"])
        local = datetime.fromisoformat(row["start"]).replace(tzinfo=UTC)
        assert datetime(1899, 12, 30, tzinfo=UTC) + timedelta(days=float(line[1])) == local
        assert line[2:6] == [row["userLabel"], row["user"], row["appLabel"], row["app"]]
        assert float(line[6]) == pytest.approx(float(row["cost"]), rel=1e-15)
    assert total[0] == "Total, every request once"
    assert float(total[7]) == 150
    proof = {line[0]: line[1] for line in third}
    assert Decimal(proof["rowTotals.cost"]) == sum(row["cost"] for row in rows)
    assert proof["rowCount"] == str(len(rows))
    sheets = [name for name in book.namelist() if name.startswith("xl/worksheets/sheet")]
    assert all(b"<f>" not in book.read(name) for name in sheets)


def test_spreadsheet_is_filterable(server: Server, tenant: Tenant) -> None:
    book = zipfile.ZipFile(io.BytesIO(fetch(server, tenant, format="xlsx").content))
    count = len(rows_of(server, tenant))

    root = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314 - our own
    pane, filtered = root.find(f".//{SHEET}pane"), root.find(f"{SHEET}autoFilter")
    widths = [float(column.get("width", "0")) for column in root.iter(f"{SHEET}col")]
    assert pane is not None
    assert (pane.get("ySplit"), pane.get("state")) == ("1", "frozen")
    assert filtered is not None
    assert filtered.get("ref") == f"A1:I{count + 1}"
    assert len(widths) == 9
    assert all(8 < width < 50 for width in widths)
    styles = ElementTree.fromstring(book.read("xl/styles.xml"))  # noqa: S314 - our own
    codes = {one.get("numFmtId"): one.get("formatCode") for one in styles.iter(f"{SHEET}numFmt")}
    looks = [look.get("numFmtId") for look in styles.findall(f"{SHEET}cellXfs/{SHEET}xf")]
    row = list(root.iter(f"{SHEET}row"))[1]
    shown = [codes.get(looks[int(cell.get("s", "0"))]) for cell in row]
    assert shown[0:2] == ["yyyy-mm-dd", "yyyy-mm-dd hh:mm"]
    assert shown[6] == "#,##0.00##########"
    assert shown[7] == "#,##0"


def test_subtotals_by_the_first_dimension_add_up(server: Server, tenant: Tenant) -> None:
    book = zipfile.ZipFile(io.BytesIO(fetch(server, tenant, format="xlsx").content))

    head, *lines, _, total = sheet(book, 2)

    assert head == ["userLabel", "user", "cost", "requestCount", "totalTokens"]
    assert len(lines) == 4
    assert sum(float(line[3]) for line in lines) == float(total[3]) == 150


def sheet(book: zipfile.ZipFile, number: int) -> list[list[str]]:
    """The texts of a sheet, inline or shared."""
    shared: list[str] = []
    if "xl/sharedStrings.xml" in book.namelist():
        root = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))  # noqa: S314 - our own
        shared = ["".join(t.text or "" for t in item.iter(f"{SHEET}t")) for item in root]
    root = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{number}.xml"))  # noqa: S314 - our own
    lines: list[list[str]] = []
    for row in root.iter(f"{SHEET}row"):
        cells: list[str] = []
        for cell in row:
            cells += [""] * (column_of(cell) - len(cells))
            if cell.get("t") == "inlineStr":
                cells.append("".join(t.text or "" for t in cell.iter(f"{SHEET}t")))
            else:
                value = cell.find(f"{SHEET}v")
                text = "" if value is None else value.text or ""
                cells.append(shared[int(text)] if cell.get("t") == "s" else text)
        at = int(row.get("r", "0"))
        lines += [[]] * (at - len(lines) - 1)
        lines.append(cells)
    return lines


def column_of(cell: ElementTree.Element) -> int:
    """The column of a cell by its reference, `B7`, from 0."""
    number = 0
    for letter in cell.get("r", "A1").rstrip("0123456789"):
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def test_simultaneous_requests_are_each_on_one_page(server: Server) -> None:
    tenant = server.tenant()
    at_us = to_us(NOW) - 7_200_000_000
    times = [at_us, at_us, at_us, at_us + 1, at_us - 1, at_us, at_us - 1]
    events = [make_event(event_time_us=time, app="burst") for time in times]
    store(server, tenant, events)
    for filters in ({}, {"app": "burst"}):
        found: list[str] = []
        params = {**WINDOW, "limit": "2", **filters}
        while True:
            answer = server.http.get(
                "/api/v1/requests", params=params, headers=tenant.headers
            ).json()
            found += [entry["eventId"] for entry in answer["requests"]]
            if not answer["next"]:
                break
            params["cursor"] = answer["next"]
        assert sorted(found) == sorted(event.event_id for event in events)


FORGED_REPORTS: list[bytes | list[Any]] = [
    b"x",
    [1, 2, "UTC", 9, "", "QUESTION", 0, ["a"]],
    [2000000, 1, "UTC", 9, "", "QUESTION", 0, ["a", "b"]],
    [1000000, 2147483646, "UTC", 9, "", "QUESTION", 0, ["a", "b"]],
    [-9, 9, "UTC", 9, "", "QUESTION", 0, ["a", "b"]],
    [1900000, 1900096, "Mars/Olympus", 9, "", "QUESTION", 0, ["a", "b"]],
    [1900000, 1900096, "UTC", 9, "", "QUESTION", 10**40, ["a", "b"]],
    [1900000, 1900096, "UTC", 9, "", "QUESTION", -1, ["a", "b"]],
    [1900000, 1900096, "UTC", -1, "", "QUESTION", 0, ["a", "b"]],
    [1900000, 1900096, "UTC", 2**63, "", "QUESTION", 0, ["a", "b"]],
    [1900000, 1900096, "UTC", 9, "", "another", 0, ["a", "b"]],
]
FORGED_LOGS = [
    b"x",
    b"[1]",
    b'["time",true,false,1,1,1]',
    b'["speed",true,false,1,1,1,1]',
    b'["time",1,false,1,1,1,1]',
    b'["time",true,false,%d,1,1,1]' % 10**40,
    b'["time",true,false,-2,1,1,1]',
    b'["time",true,false,1,1,%d,1]' % 2**63,
    b'["time",true,false,1,-1,1,1]',
    b'["time",true,false,1,1,1,-1]',
    b'["cost",true,false,1,1,1,1]',
    b'["time",false,false,1,1,1,1]',
]


def question_of(server: Server, tenant: Tenant) -> str:
    """The question that a cursor contains."""
    cursor = fetch(server, tenant, limit=7).headers["outlay-next-cursor"]
    return str(json.loads(base64.urlsafe_b64decode(cursor))[5])


@pytest.mark.parametrize(
    ("path", "forged"),
    [
        *(("/api/v1/exports/report", forged) for forged in FORGED_REPORTS),
        *(("/api/v1/requests", forged) for forged in FORGED_LOGS),
    ],
    ids=ascii,
)
def test_forged_cursors_are_refused(
    server: Server, tenant: Tenant, path: str, forged: bytes | list[Any]
) -> None:
    params = {**WINDOW, **(PARTS if path == "/api/v1/exports/report" else {})}
    if isinstance(forged, list):
        forged = json.dumps(forged).replace("QUESTION", question_of(server, tenant)).encode()
    for cursor in (base64.urlsafe_b64encode(forged).decode(), "not base64"):
        answer = server.http.get(path, params={**params, "cursor": cursor}, headers=tenant.headers)
        assert answer.status_code == 400, answer.text


def test_later_page_reports_the_window_of_the_first(server: Server, tenant: Tenant) -> None:
    first = fetch(server, tenant, format="json", limit=7)
    cursor = first.headers["outlay-next-cursor"]
    moved = {"from": "2026-11-02", "to": "2026-11-03", "timezone": "UTC"}

    page = fetch(server, tenant, format="json", limit=7, cursor=cursor, **moved)

    told = [json.loads(answer.text)["meta"] for answer in (first, page)]
    assert told[0] == told[1]
    assert "2026-11-01-2026-11-30" in page.headers["content-disposition"]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"groupBy": "user,user"}, "groupBy"),
        ({"groupBy": "user,colour"}, "groupBy"),
        ({"metrics": "cost,cost"}, "metrics"),
        ({"metrics": "beauty"}, "metrics"),
        ({"format": "pdf"}, "format"),
        ({"limit": "0"}, "limit"),
        ({"limit": "100001"}, "limit"),
        ({"bucket": "fortnight"}, "bucket"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_invalid_queries_are_refused(
    server: Server, tenant: Tenant, params: dict[str, str], field: str
) -> None:
    answer = server.http.get(
        "/api/v1/exports/report", params={**WINDOW, **params}, headers=tenant.headers
    )

    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_report_without_dimensions_has_at_most_one_row(server: Server, tenant: Tenant) -> None:
    (row,) = rows_of(server, tenant, groupBy="", bucket="", metrics="requestCount")
    assert row == {"requestCount": 150}
    nothing = {"from": "2024-01-01", "to": "2024-01-31", "bucket": "", "groupBy": ""}
    assert rows_of(server, tenant, **nothing) == []

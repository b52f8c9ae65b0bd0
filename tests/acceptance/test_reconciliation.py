"""Bills compared with recorded usage: the differences and their reasons."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_api import event_body
from tests.program import run

from outlay.services.reconciliation import bills
from outlay.services.recording.importing import read_import

URL = "/api/v1/reconciliations"
DAYS = [date(2026, 11, 10) + timedelta(days=number) for number in range(6)]
RATE = Decimal("0.0035")
"""USD for 1,000 input and 100 output tokens of gpt-4o."""


@pytest.fixture
def tenant(server: Server) -> Tenant:
    return server.tenant()


def call(day: date, hour: int = 9, **more: Any) -> dict[str, Any]:
    at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    return event_body(eventTime=at.isoformat(), **more)


def send(server: Server, tenant: Tenant, *events: dict[str, Any]) -> None:
    answer = server.http.post("/v1/usage/events", json=list(events), headers=tenant.headers)
    assert answer.status_code == 200, answer.text
    server.services.projection.catch_up()


def bill(*lines: tuple[date, str, str | None, Decimal | float]) -> str:
    """OpenAI's costs, in the pages of its API."""
    buckets = []
    for day, project, item, cost in lines:
        start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        result = {
            "object": "organization.costs.result",
            "amount": {"value": float(cost), "currency": "usd"},
            "line_item": item,
            "project_id": project,
        }
        buckets.append(
            {"object": "bucket", "start_time": start, "end_time": start + 1, "results": [result]}
        )
    return json.dumps({"object": "page", "data": buckets, "has_more": False})


def compare(server: Server, tenant: Tenant, content: str, **more: Any) -> dict[str, Any]:
    body = {"provider": "openai", "content": content, "fileName": "costs.json", **more}
    answer = server.http.post(URL, json=body, headers=tenant.headers)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def reasons(found: dict[str, Any]) -> dict[tuple[str, str, str], list[str]]:
    """The reasons of each line that differs."""
    return {
        (line["day"], line["project"], line["model"]): line["reasons"]
        for line in found["lines"]
        if line["reasons"]
    }


def test_matching_bill_has_no_differences(server: Server, tenant: Tenant) -> None:
    send(server, tenant, *[call(day, projectId="proj_1") for day in DAYS for _ in range(3)])
    send(server, tenant, call(DAYS[0], model="anthropic/claude-sonnet-4-5"))  # from another bill

    found = compare(
        server,
        tenant,
        bill(
            *[(day, "proj_1", "gpt-4o-2024-08-06, input", 3 * Decimal("0.0025")) for day in DAYS],
            *[(day, "proj_1", "gpt-4o-2024-08-06, output", 3 * Decimal("0.001")) for day in DAYS],
        ),
    )

    assert reasons(found) == {}
    assert (found["recorded"], found["billed"], found["difference"]) == ("0.063", "0.063", "0")
    assert (found["lineCount"], found["differingCount"]) == (6, 0)
    listed = server.http.get(URL, headers=tenant.headers).json()["reconciliations"]
    assert [one["reconciliationId"] for one in listed] == [found["reconciliationId"]]
    one = server.http.get(f"{URL}/{found['reconciliationId']}", headers=tenant.headers).json()
    assert one == found
    trail = server.http.get("/api/v1/audit", headers=tenant.headers).json()["entries"]
    assert "reconciliation.create" in {entry["action"] for entry in trail}


def test_every_reason_is_reported(server: Server, tenant: Tenant) -> None:
    many = 400
    events = []
    for day in DAYS:
        for hour in (3, 9, 15):
            if (day, hour) == (DAYS[1], 15):
                continue  # an outage of the collector
            events += [call(day, hour, projectId="p") for _ in range(many // 4)]
    events += [call(DAYS[2], projectId="p", model="openai/house-model")]
    events += [
        call(DAYS[3], projectId="p", model="openai/gpt-4o-mini", usageSource="estimated")
    ] * 1
    events += [call(day, projectId="p", model="openai/gpt-5.4") for day in DAYS for _ in range(100)]
    events += [call(DAYS[4], projectId="p", model="openai/gpt-4.1") for _ in range(50)]
    send(server, tenant, *events)
    spent = {
        (line["date"], line["model"]): Decimal(str(line["cost"]))
        for line in server.http.get(
            "/api/v1/exports/report?from=2026-11-10&to=2026-11-15&groupBy=model&bucket=day&format=json",
            headers=tenant.headers,
        ).json()["rows"]
    }

    def billed(day: date, model: str) -> Decimal:
        return spent[day.isoformat(), model]

    found = compare(
        server,
        tenant,
        bill(
            *[
                (
                    day,
                    "p",
                    "gpt-4o",
                    billed(day, "gpt-4o") * (Decimal("1.5") if day == DAYS[1] else 1),
                )
                for day in DAYS
            ],
            (DAYS[2], "p", "house-model", 4),
            (DAYS[3], "p", "gpt-4o-mini", 1),
            *[
                (day, "p", "gpt-5.4", billed(day, "gpt-5.4") * (2 if day >= DAYS[3] else 1))
                for day in DAYS
            ],
            (DAYS[5], "p", "gpt-4.1-nano", 7),
            (DAYS[0], "p", "o4-mini", 0.001),
        ),
    )

    told = reasons(found)
    assert told.pop((str(DAYS[1]), "p", "gpt-4o")) == ["missing hours: 15-16 UTC"]
    assert told.pop((str(DAYS[2]), "p", "house-model")) == ["unpriced: 1 request"]
    assert told.pop((str(DAYS[3]), "p", "gpt-4o-mini")) == ["estimated: 1 request"]
    assert told.pop((str(DAYS[5]), "p", "gpt-4.1-nano")) == ["not recorded"]
    assert told.pop((str(DAYS[4]), "p", "gpt-4.1")) == ["not billed"]
    for day in DAYS[3:]:
        assert told.pop((str(day), "p", "gpt-5.4")) == [
            f"price change: the bill is 2.000 times the recorded cost since {DAYS[3]}"
        ]
    assert told == {}


def test_reasons_add_up_to_the_difference(server: Server, tenant: Tenant) -> None:
    send(server, tenant, *[call(day, projectId="p") for day in DAYS for _ in range(100)])
    other: dict[str, Any] = {"model": "gpt-4o", "provider": "OpenAI", "projectId": "p"}
    send(server, tenant, *[call(DAYS[0], **other) for _ in range(100)])
    lines = [(day, "p", "gpt-4o", 100 * RATE) for day in DAYS[1:]]
    content = bill(
        (DAYS[0], "p", "gpt-4o", 200 * RATE),
        *lines[:-1],
        (DAYS[5], "p", "gpt-4o", Decimal("0.8")),
        (DAYS[5], "p", "credit grant", -2),
        (DAYS[5], "p", "sales tax", Decimal("0.1")),
        (DAYS[5], "p", "gpt-4.1-nano", 7),
    )

    found = compare(server, tenant, content)
    again = compare(server, tenant, content)

    amounts = {entry["reason"]: entry["amount"] for entry in found["reasons"]}
    assert amounts == {
        "credit": "-2",
        "not recorded": "7",
        "no usage of a model": "0.1",
        "unexplained": "0.45",
    }
    assert (found["explained"], found["unexplained"]) == ("5.1", "0.45")
    assert Decimal(found["explained"]) + Decimal("0.45") == Decimal(found["difference"])
    for line in found["lines"]:
        parts = [Decimal(part["amount"]) for part in line["parts"]]
        assert sum(parts) == Decimal(line["difference"])
    assert [note for note in again["notes"] if note.startswith("The same file was compared on")]
    assert not [note for note in found["notes"] if "The same file" in note]


def test_bill_in_another_currency_is_converted_at_the_given_rate(
    server: Server, tenant: Tenant
) -> None:
    send(server, tenant, *[call(DAYS[0], projectId="p") for _ in range(10)])
    content = bill((DAYS[0], "p", "gpt-4o", 0.07)).replace('"usd"', '"eur"')
    body = {"provider": "openai", "content": content, "fileName": "costs.json"}

    refused = server.http.post(URL, json=body, headers=tenant.headers)
    odd = server.http.post(URL, json={**body, "rates": {"EUR": "much"}}, headers=tenant.headers)
    found = compare(server, tenant, content, rates={"eur": "0.5"})

    assert (refused.status_code, refused.json()["code"]) == (400, "malformed-file")
    assert "The amount is in EUR." in refused.json()["detail"]
    assert odd.status_code == 400
    assert (found["billed"], reasons(found)) == ("0.035", {})


def test_days_missing_on_the_bill_are_reported(server: Server, tenant: Tenant) -> None:
    send(server, tenant, *[call(DAYS[number], projectId="p") for number in (0, 1, 2)])

    found = compare(
        server, tenant, bill((DAYS[0], "p", "gpt-4o", RATE), (DAYS[2], "p", "gpt-4o", RATE))
    )

    assert found["notes"] == [f"The bill has no lines for days with recorded requests: {DAYS[1]}."]


def test_projects_are_matched_by_name_and_merge(server: Server, tenant: Tenant) -> None:
    made = server.http.post(
        "/api/v1/projects", json={"name": "Search"}, headers=tenant.headers
    ).json()
    send(server, tenant, *[call(DAYS[0], projectId=made["projectId"]) for _ in range(10)])
    csv = (
        "start_time_iso,amount_value,line_item,project_id,project_name\n"
        '2026-11-10T00:00:00Z,0.035,"gpt-4o, input",proj_x,search\n'
    )

    found = compare(server, tenant, csv, fileName="costs.csv")

    (line,) = found["lines"]
    assert (line["projectId"], line["project"], line["reasons"]) == (
        made["projectId"],
        "Search",
        [],
    )


def test_bill_without_projects_or_models_is_compared_as_far_as_possible(
    server: Server, tenant: Tenant
) -> None:
    send(server, tenant, *[call(DAYS[0], projectId="ours") for _ in range(10)])

    strange = compare(server, tenant, bill((DAYS[0], "proj_theirs", "gpt-4o", 0.035)))
    plain = compare(server, tenant, bill((DAYS[0], "ours", None, 0.035)))

    assert (reasons(strange), strange["lines"][0]["project"]) == ({}, "")
    assert "No project of the bill is known here" in strange["notes"][0]
    assert (reasons(plain), plain["lines"][0]["model"]) == ({}, "")
    assert "does not distinguish models" in plain["notes"][0]


def test_anthropic_report_is_in_cents(server: Server, tenant: Tenant) -> None:
    send(
        server,
        tenant,
        *[call(DAYS[0], projectId="wrk_1", model="anthropic/claude-sonnet-4-5") for _ in range(10)],
    )
    results = [
        {
            "amount": amount,
            "currency": "USD",
            "cost_type": "tokens",
            "workspace_id": "wrk_1",
            "model": "claude-sonnet-4-5-20250929",
            "description": "Claude Sonnet 4.5 Usage",
        }
        for amount in ("3.0", "1.5")
    ]
    bucket = {"starting_at": f"{DAYS[0]}T00:00:00Z", "ending_at": "x", "results": results}

    found = compare(
        server, tenant, json.dumps({"data": [bucket], "has_more": False}), provider="anthropic"
    )

    assert (reasons(found), found["billed"], found["recorded"]) == ({}, "0.045", "0.045")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"content": "nothing"}, "no costs"),
        ({"content": "a,b\n1,2\n"}, "Row 2: Column start_time"),
        ({"content": '{"data": []}'}, "no costs"),
        ({"provider": "somebody"}, "There is no cost format for"),
        ({"content": "start_time,amount_value\nsoon,1\n", "fileName": "c.csv"}, "Row 2"),
        ({"mapping": "fields ="}, "mapping"),
    ],
)
def test_invalid_bill_is_refused(
    server: Server, tenant: Tenant, changes: dict[str, Any], message: str
) -> None:
    body = {"provider": "openai", "content": bill((DAYS[0], "p", "m", 1)), **changes}
    answer = server.http.post(URL, json=body, headers=tenant.headers)

    assert answer.status_code == 400, answer.text
    assert message in answer.json()["detail"]
    assert server.http.get(URL, headers=tenant.headers).json()["reconciliations"] == []


def test_exit_code_tells_whether_the_bill_matches(tmp_path: Path) -> None:
    data, usage, costs = tmp_path / "data", tmp_path / "usage.csv", tmp_path / "costs.json"
    usage.write_text(
        "start_time,num_model_requests,input_tokens,output_tokens,model,project_id\n"
        f"{DAYS[0]},10,10000,1000,gpt-4o,proj_1\n"
    )
    imported = run("import", usage, "--data", data)
    assert "10 requests imported" in imported.stdout, imported
    command = ("reconcile", "--provider", "openai", "--costs", costs, "--data", data)

    costs.write_text(bill((DAYS[0], "proj_1", "gpt-4o", 0.035)))
    agreeing = run(*command)
    costs.write_text(bill((DAYS[0], "proj_1", "gpt-4o", 0.5)))
    differing = run(*command)
    costs.write_text("{")
    broken = run(*command)

    assert (agreeing.returncode, differing.returncode, broken.returncode) == (0, 1, 2)
    assert "0 of 1 lines differ" in agreeing.stdout
    assert "unexplained" in differing.stdout
    assert "recorded 0.035 USD, billed 0.5 USD, difference 0.465 USD" in differing.stdout
    assert re.search(r"unexplained +0\.465", differing.stdout)


def test_read_error_does_not_reveal_the_temporary_path(server: Server, tenant: Tenant) -> None:
    for more, code in (
        ({"content": "[" * 100_000}, "malformed-file"),
        ({"content": '{"a":' * 100_000, "fileName": "costs"}, "malformed-file"),
        ({"mapping": "fields=" + "[" * 5_000}, "malformed-mapping"),
    ):
        body = {"provider": "openai", "content": "x", "fileName": "costs.json", **more}
        answer = server.http.post(URL, json=body, headers=tenant.headers)
        assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text
        assert "/tmp" not in answer.text  # noqa: S108 - where it must not point


def test_reading_stops_at_the_maximum_number_of_lines(
    server: Server, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bills, "MAX_LINES", 100)
    read: list[int] = []
    rows = read_import

    def counting(*args: Any) -> Any:
        for row in rows(*args):
            read.append(row.number)
            yield row

    monkeypatch.setattr(bills, "read_import", counting)
    lines = [f"2026-11-19,1.5,model {number},p" for number in range(1_000)]
    content = "\n".join(["start_time,amount_value,line_item,project_id", *lines])
    body = {"provider": "openai", "content": content, "fileName": "costs.csv"}

    answer = server.http.post(URL, json=body, headers=tenant.headers)

    assert answer.status_code == 400
    assert "more than 100 lines" in answer.json()["detail"]
    assert len(read) == 101

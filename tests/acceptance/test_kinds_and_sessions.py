"""Kinds of usage and sessions over HTTP: from sent events to answers and files."""

import csv
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_ingest import URL
from tests.factories import NOW

from outlay.domain.actor import Role

WINDOW = {"from": "2026-11-19", "to": "2026-11-20", "timezone": "UTC"}


def sent(number: int) -> dict[str, Any]:
    """An event in the format of programs that send it."""
    event: dict[str, Any] = {
        "eventId": f"kind-{number}",
        "eventTime": (NOW - timedelta(minutes=20 * number)).isoformat(),
        "provider": "openai",
        "model": "openai/gpt-5.5",
        "usage": {"inputTokens": 1_000, "outputTokens": 100, "cacheReadInputTokens": 200},
        "sessionId": f"run/{number % 2}",
    }
    if number % 3 == 0:
        event["meters"] = {"web_searches": 2}
    if number % 4 == 0:
        event |= {"provider": "somebody", "model": "somebody/unknown", "reportedCost": "0.25"}
    return event


@pytest.fixture(scope="module")
def owner(server: Server) -> Tenant:
    """An organization with twelve recorded events."""
    tenant = server.tenant()
    events = [sent(number) for number in range(12)]
    answer = server.http.post(URL, json=events, headers=tenant.headers)
    assert answer.is_success, answer.text
    server.services.projection.catch_up()
    return tenant


def get(server: Server, tenant: Tenant, path: str, **params: str) -> Mapping[str, Any]:
    answer = server.http.get(path, params={**WINDOW, **params}, headers=tenant.headers)
    assert answer.status_code == 200, answer.text
    found: Mapping[str, Any] = answer.json(parse_float=Decimal)
    return found


def test_costs_of_kinds_add_up_to_the_cost(server: Server, owner: Tenant) -> None:
    found = get(
        server,
        owner,
        "/api/v1/analytics/activity",
        groupBy="kind",
        bucket="day",
        compare="previous",
    )

    entries = {entry["key"]: entry for entry in found["totals"]["breakdown"]}
    assert found["groupBy"] == "kind"
    assert entries["web_searches"]["quantity"] == 8
    assert entries["web_searches"]["unit"] == "calls"
    assert entries["web_searches"]["label"] == "Web searches"
    assert entries["uncached_input_tokens"]["quantity"] == 12 * 800
    assert entries["cache_read_input_tokens"]["quantity"] == 12 * 200
    assert entries["output_tokens"]["totalTokens"] == 12 * 100
    whole = entries["reported_as_a_whole"]
    assert (whole["cost"], whole["quantity"], whole["unit"]) == (Decimal("0.75"), None, None)
    assert all(entry["requestCount"] is None for entry in entries.values())
    for place in (found["totals"], *found["activity"]):
        assert sum(entry["cost"] for entry in place["breakdown"]) == place["cost"]
        assert sum(entry["totalTokens"] for entry in place["breakdown"]) == place["totalTokens"]
    assert found["totals"]["requestCount"] == 12
    series = get(server, owner, "/api/v1/analytics/activity", groupBy="kind", shape="series")
    assert {one["key"] for one in series["series"]} == entries.keys()


def test_kinds_can_be_filtered(server: Server, owner: Tenant) -> None:
    found = get(server, owner, "/api/v1/analytics/activity", groupBy="kind", provider="somebody")

    assert found["totals"]["requestCount"] == 3
    assert found["totals"]["cost"] == Decimal("0.75")
    kinds = {entry["key"]: entry["quantity"] for entry in found["totals"]["breakdown"]}
    assert kinds["web_searches"] == 2


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/api/v1/analytics/activity", {"groupBy": "kind,model"}),
        ("/api/v1/analytics/activity", {"groupBy": "model,kind"}),
        ("/api/v1/analytics/activity", {"groupBy": "kind", "rankBy": "requestCount"}),
        ("/api/v1/analytics/latency", {"groupBy": "kind"}),
        ("/api/v1/exports/report", {"groupBy": "kind"}),
        ("/api/v1/exports/report", {"groupBy": "model,kind"}),
    ],
)
def test_unsupported_queries_of_kinds_are_refused(
    server: Server, owner: Tenant, path: str, params: dict[str, str]
) -> None:
    answer = server.http.get(path, params={**WINDOW, **params}, headers=owner.headers)

    assert answer.status_code == 400
    assert "kind" in answer.json()["detail"]


def test_file_of_kinds_has_quantities_and_the_same_total(server: Server, owner: Tenant) -> None:
    params = {**WINDOW, "groupBy": "kind", "bucket": "day"}
    answer = server.http.get("/api/v1/exports/activity.csv", params=params, headers=owner.headers)
    *rows, total = csv.DictReader(answer.text.splitlines())

    assert sum(Decimal(row["cost"]) for row in rows) == Decimal(total["cost"])
    assert sum(int(row["totalTokens"]) for row in rows) == int(total["totalTokens"])
    searches = [row for row in rows if row["kindOfUsage"] == "web_searches"]
    assert sum(int(row["quantity"]) for row in searches) == 8
    assert {row["unit"] for row in searches} == {"calls"}
    assert total["requestCount"] == "12"
    assert {row["requestCount"] for row in rows} == {""}


def test_sessions_are_listed_with_details(server: Server, owner: Tenant) -> None:
    found = get(server, owner, "/api/v1/analytics/sessions", sort="requestCount")

    assert found["sessionCount"] == 2
    assert found["totals"]["requestCount"] == 12
    first, second = found["sessions"]
    assert {first["sessionId"], second["sessionId"]} == {"run/0", "run/1"}
    assert first["cost"] + second["cost"] == found["totals"]["cost"]
    one = get_one(server, owner, "run/0")
    listed = next(one for one in found["sessions"] if one["sessionId"] == "run/0")
    assert {name: one[name] for name in listed} == listed
    assert one["requestCount"] == 6
    assert one["firstRequestAt"] == "2026-11-20T08:40:00Z"
    assert one["lastRequestAt"] == "2026-11-20T12:00:00Z"
    assert one["durationSeconds"] == 200 * 60
    assert sum(part["cost"] for part in one["costByModel"]) == one["cost"]


def get_one(server: Server, tenant: Tenant, session_id: str) -> Mapping[str, Any]:
    answer = server.http.get(f"/api/v1/analytics/sessions/{session_id}", headers=tenant.headers)
    assert answer.status_code == 200, answer.text
    found: Mapping[str, Any] = answer.json(parse_float=Decimal)
    return found


def test_session_pages_follow_the_requested_order(server: Server, owner: Tenant) -> None:
    listed = [
        get(
            server,
            owner,
            "/api/v1/analytics/sessions",
            sort="last",
            pageSize="1",
            page=page,
            order=order,
        )
        for order in ("desc", "asc")
        for page in ("1", "2")
    ]

    names = [found["sessions"][0]["sessionId"] for found in listed]
    assert names == ["run/0", "run/1", "run/1", "run/0"]
    assert all(found["sessionCount"] == 2 for found in listed)
    beyond = get(server, owner, "/api/v1/analytics/sessions", page="3", pageSize="1")
    assert beyond["sessions"] == []


def test_log_can_be_filtered_by_session(server: Server, owner: Tenant) -> None:
    found = get(server, owner, "/api/v1/requests", session="run/1")

    assert found["totals"]["requestCount"] == 6
    assert {entry["sessionId"] for entry in found["requests"]} == {"run/1"}
    some = get(server, owner, "/api/v1/requests", session="run/1", provider="openai")
    assert {entry["provider"] for entry in some["requests"]} == {"openai"}
    nothing = get(server, owner, "/api/v1/requests", session="nobody")
    assert nothing["requests"] == []


def test_foreign_sessions_are_not_found(server: Server, owner: Tenant) -> None:
    stranger = server.tenant()
    developer = server.tenant(role=Role.DEVELOPER)
    for tenant in (stranger, developer):
        answer = server.http.get("/api/v1/analytics/sessions/run/0", headers=tenant.headers)
        assert answer.status_code == 404
        assert get(server, tenant, "/api/v1/analytics/sessions")["sessions"] == []

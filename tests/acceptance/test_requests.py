"""Single requests over HTTP: filtered, sorted, summed, exported, and their failures explained."""

import csv
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_activity_oracle import store
from tests.factories import NOW, make_event

from outlay.domain.actor import Role
from outlay.domain.event import CostSource, Status, UsageEvent, UsageSource
from outlay.kit.clock import to_us
from outlay.services.analytics import request_log
from outlay.services.analytics.exports import ReportFormat

WINDOW = {"from": "2026-11-19", "to": "2026-11-20", "timezone": "UTC"}


def made(user_id: str) -> list[UsageEvent]:
    """Requests of two days, every fifth of one user, some of them failed."""
    return [
        make_event(
            event_id=f"request-{number:02d}",
            event_time_us=to_us(NOW - timedelta(minutes=30 * number)),
            user_id=user_id if number % 5 == 0 else "mem_other",
            cost_source=CostSource.COMPUTED,
            cost_pusd=123_456_789_012_345_678 + number % 7,
            duration_us=None if number % 4 == 0 else number * 1_000,
            input_tokens=number,
            usage_source=UsageSource.PROVIDER,
            **(
                {"status": Status.UPSTREAM_ERROR, "error_code": "upstream-429", "http_status": 429}
                if number % 3 == 0
                else {}
            ),
        )
        for number in range(40)
    ]


@pytest.fixture(scope="module")
def developer(server: Server) -> tuple[Tenant, list[UsageEvent]]:
    """A developer, who may see only their own requests, and the requests of the organization."""
    opened = server.tenant(role=Role.DEVELOPER)
    events = made(opened.member.member_id)
    store(server, opened, events)
    return opened, events


@pytest.fixture(scope="module")
def owner(server: Server) -> tuple[Tenant, list[UsageEvent]]:
    opened = server.tenant()
    events = made("mem_a")
    store(server, opened, events)
    return opened, events


def ask(
    server: Server, tenant: Tenant, path: str = "/api/v1/requests", **params: Any
) -> dict[str, Any]:
    answer = server.http.get(path, params={**WINDOW, **params}, headers=tenant.headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = json.loads(answer.text, parse_float=Decimal)
    return found


def ids(answer: dict[str, Any]) -> list[str]:
    return [one["eventId"] for one in answer["requests"]]


CASES: list[dict[str, str]] = [
    {"minLatencyMs": "20"},
    {"errorCode": "upstream-429"},
    {"search": "request-1"},
    {"minCost": "123456.789012345681"},
    {"errorCode": "upstream-429", "minLatencyMs": "9", "userId": "mem_a"},
]


def is_wanted(event: UsageEvent, asked: dict[str, str]) -> bool:
    return (
        (event.duration_us or 0) >= int(asked.get("minLatencyMs", 0)) * 1000
        and asked.get("errorCode", event.error_code) == event.error_code
        and asked.get("search", "") in event.event_id
        and Decimal(event.cost_pusd).scaleb(-12) >= Decimal(asked.get("minCost", 0))
        and asked.get("userId", event.user_id) == event.user_id
    )


@pytest.mark.parametrize("asked", CASES, ids=lambda asked: "+".join(asked))
def test_totals_match_the_filters(
    server: Server, owner: tuple[Tenant, list[UsageEvent]], asked: dict[str, str]
) -> None:
    tenant, events = owner
    wanted = [event for event in events if is_wanted(event, asked)]

    found = ask(server, tenant, **asked)

    assert wanted
    assert ids(found) == [event.event_id for event in wanted]
    assert found["totals"]["requestCount"] == len(wanted)
    assert found["totals"]["inputTokens"] == sum(event.input_tokens for event in wanted)
    cost = sum(event.cost_pusd for event in wanted)
    assert found["totals"]["cost"] == Decimal(cost).scaleb(-12)


def test_hour_must_be_within_the_period(
    server: Server, owner: tuple[Tenant, list[UsageEvent]]
) -> None:
    tenant, _ = owner

    found = ask(server, tenant, hour="2026-11-20T09:00:00Z")
    same = ask(server, tenant, hour="2026-11-20T14:45:00+05:45")

    assert ids(found) == ids(same) == ["request-05", "request-06"]
    assert found["totals"]["requestCount"] == 2
    for wrong in ("2026-11-21T09:00:00Z", "2026-11-20T09:00:01Z", "2026-11-20T09:00", "nine"):
        params = {**WINDOW, "hour": wrong}
        answer = server.http.get("/api/v1/requests", params=params, headers=tenant.headers)
        assert (answer.status_code, answer.json()["field"]) == (400, "hour")


@pytest.mark.parametrize("kind", list(ReportFormat))
def test_file_has_the_requests_of_all_pages_in_order(
    server: Server, owner: tuple[Tenant, list[UsageEvent]], kind: ReportFormat
) -> None:
    tenant, _ = owner
    asked = {"sort": "totalTokens", "order": "asc", "errorCode": "upstream-429"}
    listed = ask(server, tenant, **asked, limit=500)

    params = {**WINDOW, **asked, "format": kind.value}
    answer = server.http.get("/api/v1/exports/requests", params=params, headers=tenant.headers)

    assert answer.status_code == 200, answer.text
    assert answer.headers["outlay-row-count"] == str(listed["totals"]["requestCount"])
    if kind is ReportFormat.CSV:
        *rows, trailer = csv.DictReader(answer.text.splitlines())
        assert [row["eventId"] for row in rows] == ids(listed)
        assert rows[0]["cost"] == str(listed["requests"][0]["cost"])
        told = json.loads(trailer["eventId"], parse_float=Decimal)
        assert told["totals"]["cost"] == told["rowTotals"]["cost"] == listed["totals"]["cost"]


def test_file_in_parts_has_each_request_once(
    server: Server, owner: tuple[Tenant, list[UsageEvent]]
) -> None:
    tenant, events = owner
    found: list[str] = []
    params = {**WINDOW, "format": "json", "limit": "7", "sort": "cost"}
    for _ in events:
        answer = server.http.get("/api/v1/exports/requests", params=params, headers=tenant.headers)
        found += [row["eventId"] for row in answer.json()["rows"]]
        if "outlay-next-cursor" not in answer.headers:
            break
        params["cursor"] = answer.headers["outlay-next-cursor"]

    assert len(found) == len(events)
    assert {*found} == {event.event_id for event in events}


def test_developers_see_their_own_requests_totals_and_file(
    server: Server, developer: tuple[Tenant, list[UsageEvent]]
) -> None:
    tenant, events = developer
    own = [event for event in events if event.user_id == tenant.member.member_id]
    failed = [event for event in own if event.error_code]

    found = ask(server, tenant, sort="cost", errorCode="upstream-429")
    file = ask(server, tenant, "/api/v1/exports/requests", format="json", sort="latencyMs")
    params = {**WINDOW, "userId": "mem_other"}
    other = server.http.get("/api/v1/exports/requests", params=params, headers=tenant.headers)

    assert sorted(ids(found)) == sorted(event.event_id for event in failed)
    assert found["totals"]["requestCount"] == len(failed)
    assert {row["eventId"] for row in file["rows"]} == {event.event_id for event in own}
    assert file["trailer"]["rowCount"] == len(own)
    assert file["trailer"]["totals"].items() <= file["trailer"]["rowTotals"].items()
    assert other.status_code == 404


def test_failure_is_explained_in_a_sentence(
    server: Server, owner: tuple[Tenant, list[UsageEvent]]
) -> None:
    tenant, _ = owner

    failed = server.http.get("/api/v1/requests/request-00", headers=tenant.headers).json()
    whole = server.http.get("/api/v1/requests/request-01", headers=tenant.headers).json()

    assert failed["errorCode"] == "upstream-429"
    assert failed["failure"].startswith("The provider limited the request rate (429).")
    assert whole["failure"] is None


def test_too_many_requests_to_read_are_refused(
    server: Server,
    owner: tuple[Tenant, list[UsageEvent]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tenant, events = owner
    monkeypatch.setattr(request_log, "MAX_ROWS", 10)

    for asked in ({"sort": "cost"}, {"minLatencyMs": "1"}):
        for path in ("/api/v1/requests", "/api/v1/exports/requests"):
            params = {**WINDOW, **asked}
            answer = server.http.get(path, params=params, headers=tenant.headers)
            assert (answer.status_code, answer.json()["code"]) == (400, "period-too-wide")
            assert "choose a shorter period" in answer.json()["detail"]
    assert ask(server, tenant)["totals"]["requestCount"] == len(events)
    assert ask(server, tenant, sort="cost", hour="2026-11-20T09:00:00Z")["requests"]

"""The API: who may call it, what is refused and how, and that its answers are consistent."""

import csv
import io
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.acceptance.conftest import Server, Tenant
from tests.factories import NOW, make_event

from outlay.domain.actor import Plan, Role, Scope
from outlay.domain.latency import RELATIVE_ERROR
from outlay.domain.organization import operator_of
from outlay.web.app import ALIASES
from outlay.web.http.openapi import API_PREFIX

READS = ["/api/v1/analytics/activity", "/api/v1/analytics/summary", "/api/v1/exports/activity.csv"]


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer ota_unknown_secret"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic b3RhOmE="},
        {"Cookie": "outlay_session=forged"},
    ],
)
def test_reading_requires_a_valid_credential(
    server: Server, path: str, headers: dict[str, str]
) -> None:
    answer = server.http.get(path, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "unauthenticated"


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"role": Role.DEVELOPER}, "role-required"),
        ({"plan": Plan.PRO}, "plan-required"),
        ({"plan": Plan.FREE, "role": Role.DEVELOPER}, "plan-required"),
        ({"scopes": frozenset({Scope.USAGE_WRITE})}, "scope-required"),
    ],
)
def test_missing_plan_role_and_scope_are_distinguished(
    server: Server, path: str, changes: dict[str, Any], code: str
) -> None:
    answer = server.http.get(path, headers=server.tenant(**changes).headers)

    assert answer.status_code == 403
    assert answer.json()["type"] == f"/problems/{code}"


def test_admin_can_read(server: Server) -> None:
    for path in READS:
        answer = server.http.get(path, headers=server.tenant(role=Role.ADMIN).headers)
        assert answer.status_code == 200


def test_tenants_cannot_see_each_others_numbers(server: Server) -> None:
    rich, poor = server.tenant(), server.tenant()
    record(server, rich, [event_body(app="canary-of-the-rich")])

    for path in READS:
        answer = server.http.get(path, headers=poor.headers, params={"preset": "all"})
        assert "canary" not in answer.text
    summary = server.http.get("/api/v1/analytics/summary", headers=poor.headers).json()["summary"]
    assert summary["requestCount"] == 0


def event_body(**changes: Any) -> dict[str, Any]:
    return {
        "eventId": f"e-{make_event().event_id}",
        "eventTime": (NOW - timedelta(minutes=5)).isoformat(),
        "model": "openai/gpt-4o",
        "usage": {"inputTokens": 1000, "outputTokens": 100},
        **changes,
    }


def post(server: Server, tenant: Tenant, body: bytes | str) -> tuple[int, dict[str, Any]]:
    answer = server.http.post("/v1/usage/events", content=body, headers=tenant.headers)
    return answer.status_code, answer.json()


def record(server: Server, tenant: Tenant, events: list[dict[str, Any]]) -> dict[str, Any]:
    status, answer = post(server, tenant, json.dumps(events))
    assert status == 200, answer
    server.services.projection.catch_up()
    return answer


def summary(server: Server, tenant: Tenant) -> dict[str, Any]:
    answer = server.http.get("/api/v1/analytics/summary", headers=tenant.headers)
    found: dict[str, Any] = json.loads(answer.text, parse_float=Decimal)["summary"]
    return found


def test_posted_event_is_priced_and_counted_exactly(server: Server) -> None:
    tenant = server.tenant()

    answer = record(server, tenant, [event_body()])

    assert answer["accepted"] == 1
    found = summary(server, tenant)
    assert found["cost"] == Decimal("0.0035")
    assert found["totalTokens"] == 1100


def test_repeated_event_is_idempotent_and_different_content_is_a_409(server: Server) -> None:
    tenant = server.tenant()
    event = event_body()
    record(server, tenant, [event])

    again = record(server, tenant, [event, event])
    status, answer = post(server, tenant, json.dumps([{**event, "app": "x"}, event_body()]))

    assert again["duplicate"] == 2
    assert status == 409
    assert [result["outcome"] for result in answer["results"]] == ["conflict", "accepted"]


BAD_EVENTS: dict[str, tuple[dict[str, Any], str]] = {
    "negative": ({"usage": {"inputTokens": -5, "outputTokens": 0}}, "inputTokens"),
    "huge": ({"usage": {"inputTokens": 2**63, "outputTokens": 0}}, "inputTokens"),
    "over a thousand million": ({"usage": {"inputTokens": 10**9 + 1, "outputTokens": 0}}, "input"),
    "fractional": ({"usage": {"inputTokens": 1.5, "outputTokens": 0}}, "inputTokens"),
    "text": ({"usage": {"inputTokens": "7", "outputTokens": 0}}, "inputTokens"),
    "true": ({"usage": {"inputTokens": True, "outputTokens": 0}}, "inputTokens"),
    "missing": ({"usage": {"inputTokens": 1}}, "outputTokens"),
    "misspelt": ({"usge": {}}, "usge"),
    "no provider": ({"model": "gpt-4o"}, "model"),
    "future": ({"eventTime": (NOW + timedelta(minutes=6)).isoformat()}, "future"),
    "too old": ({"eventTime": "1970-01-20T00:00:00Z"}, "2020"),
    "no offset": ({"eventTime": "2026-11-20T00:00:00"}, "eventTime"),
    "no id": ({"eventId": ""}, "eventId"),
    "long id": ({"eventId": "x" * 300}, "eventId"),
    "nul": ({"app": "a\0b"}, "app"),
    "status": ({"status": "fine"}, "status"),
    "cost": ({"reportedCost": -1}, "reportedCost"),
    "absurd cost": ({"reportedCost": 9_000_001}, "reportedCost"),
    "duration": ({"durationMs": -1}, "durationMs"),
}


@pytest.mark.parametrize("name", BAD_EVENTS)
def test_invalid_event_is_named_and_its_batch_is_not_stored(server: Server, name: str) -> None:
    tenant = server.tenant()
    changes, named = BAD_EVENTS[name]

    status, answer = post(server, tenant, json.dumps([event_body(), event_body(**changes)]))

    assert status == 400
    assert named in answer["detail"]
    assert "[1]" in answer["field"] or "event 1" in answer["detail"]
    server.services.projection.catch_up()
    assert summary(server, tenant)["requestCount"] == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"{}",
        b"[NaN]",
        b'[{"eventId": "a", "usage": {"inputTokens": NaN, "outputTokens": Infinity}}]',
        b'[{"usage": {"inputTokens": 1e400}}]',
        b"[" * 100_000,
        b"\xff\xfe",
        b'["\xed\xa0\x80"]',
        b"[1, 2]",
    ],
)
def test_malformed_bodies_return_400(server: Server, body: bytes) -> None:
    status, answer = post(server, server.tenant(), body)

    assert status == 400
    assert answer["detail"]


def test_contradictory_counts_are_clamped_flagged_and_counted(server: Server) -> None:
    tenant = server.tenant()
    usage = {"inputTokens": 100, "outputTokens": 1, "cacheReadInputTokens": 900}

    record(server, tenant, [event_body(usage=usage)])

    found = summary(server, tenant)
    assert found["adjustedRequestCount"] == 1
    assert found["cacheReadInputTokens"] == found["inputTokens"] == 100


def test_unknown_model_is_reported_as_unpriced(server: Server) -> None:
    tenant = server.tenant()
    record(server, tenant, [event_body(model="acme/secret-model"), event_body()])

    answer = server.http.get("/api/v1/analytics/activity", headers=tenant.headers).json()

    assert answer["meta"]["unpricedRequestCount"] == 1
    assert answer["totals"]["cost"] == 0.0035


def test_unknown_usage_is_not_counted_as_zero_tokens_or_missing_price(server: Server) -> None:
    tenant = server.tenant()
    unknown = [event_body(usage=None), event_body(usage=None, model="acme/secret-model")]
    told = event_body(reportedCost=1.25, usage=None)
    record(server, tenant, [*unknown, told, event_body(model="acme/secret-model")])

    found = summary(server, tenant)
    health = server.http.get("/api/v1/analytics/health", headers=tenant.headers).json()

    assert found["unknownUsageRequestCount"] == 3
    assert found["cost"] == Decimal("1.25")
    assert found["unpricedRequestCount"] == 1
    assert health["unpricedModels"] == [{"mapping": "acme/secret-model", "requestCount": 1}]


def test_reported_cost_is_rounded_half_to_even(server: Server) -> None:
    tenant = server.tenant()
    costs = ["1e-13", "0.0000000000015", "0.000014499999999999999"]
    record(server, tenant, [event_body(usage=None, reportedCost=cost) for cost in costs])

    assert summary(server, tenant)["cost"] == Decimal("0.000014500002")


@pytest.mark.parametrize(
    ("reported", "cost"), [("0.04", Decimal("0.04")), ("0", Decimal(0)), (None, Decimal(0))]
)
def test_event_without_tokens_costs_the_reported_cost(
    server: Server, reported: str | None, cost: Decimal
) -> None:
    tenant = server.tenant()
    event = event_body(model="openai/dall-e-3", usage={"inputTokens": 0, "outputTokens": 0})
    record(server, tenant, [{**event, "reportedCost": reported}])

    assert summary(server, tenant)["cost"] == cost


@pytest.mark.parametrize("amount", ["-5", "abc", "10,5", "1,000", "1e3", "$5", "", " 5", "1" * 8])
def test_limit_error_shows_the_amount_format(server: Server, amount: str) -> None:
    tenant = server.tenant()
    body = {"scope": "member", "scopeId": tenant.member.member_id, "interval": "month"}
    answer = server.http.put(
        "/api/v1/limits", json={**body, "amountUsd": amount}, headers=tenant.headers
    )

    told = answer.json()
    assert (answer.status_code, told["field"]) == (400, "amountUsd")
    assert told["detail"] == "Enter an amount in USD such as 250 or 0.50."


def test_read_tokens_cannot_write(server: Server) -> None:
    tenant = server.tenant(scopes=frozenset({Scope.USAGE_READ}))

    status, answer = post(server, tenant, json.dumps([event_body()]))

    assert status == 403
    assert answer["code"] == "scope-required"


@pytest.mark.parametrize(
    ("params", "code", "field"),
    [
        ({"timezone": "Mars/Olympus"}, "unknown-timezone", "timezone"),
        ({"from": "2026-02-01", "to": "2026-01-01"}, "reversed-range", "from"),
        ({"from": "0001-01-01", "to": "9999-12-31"}, "range-out-of-bounds", "from"),
        ({"from": "2001-01-01", "to": "2099-12-31"}, "range-too-long", "to"),
        ({"from": "2026-02-30", "to": "2026-03-01"}, "invalid-date", "from"),
        ({"from": "20260201", "to": "2026-03-01"}, "invalid-date", "from"),
        ({"from": "2026-02-01"}, "invalid", "to"),
        ({"preset": "7d", "from": "2026-02-01", "to": "2026-02-02"}, "invalid", "preset"),
        ({"preset": "fortnight"}, "unknown-preset", "preset"),
        ({"groupBy": "modle"}, "unknown-groupby", "groupBy"),
        ({"groupBy": "cost; DROP TABLE usage_rollup"}, "unknown-groupby", "groupBy"),
        ({"bucket": "minute"}, "unknown-bucket", "bucket"),
        ({"bucket": "total"}, "invalid", "bucket"),
        ({"bucket": "hour", "from": "2015-01-01", "to": "2026-01-01"}, "too-many-steps", "bucket"),
        ({"top": "0"}, "invalid", "top"),
        ({"top": "-1"}, "invalid", "top"),
        ({"top": "1e3"}, "invalid", "top"),
        ({"top": "9" * 400}, "invalid", "top"),
        ({"rankBy": "beauty"}, "unknown-rankby", "rankBy"),
        ({"status": "fine"}, "unknown-status", "status"),
        ({"app": "a\0b"}, "invalid", "app"),
        ({"model": "x" * 1000}, "invalid", "model"),
        ({"projectid": "prj_a"}, "unknown-parameter", "projectid"),
        ({"shape": "round"}, "invalid", "shape"),
    ],
)
def test_invalid_queries_are_refused_with_a_fix(
    server: Server, params: dict[str, str], code: str, field: str
) -> None:
    answer = server.http.get(
        "/api/v1/analytics/activity", params=params, headers=server.tenant().headers
    )

    assert answer.status_code == 400, answer.text
    assert (answer.json()["code"], answer.json()["field"]) == (code, field)


@pytest.mark.parametrize("text", ["' OR 1=1 --", "%", "_", "__proto__", "💥", "$1", "a;b"])
def test_filter_values_are_not_interpreted(server: Server, text: str) -> None:
    tenant = server.tenant()
    record(server, tenant, [event_body(app=text), event_body(app="other")])

    answer = server.http.get(
        "/api/v1/analytics/activity", params={"app": text, "groupBy": "app"}, headers=tenant.headers
    ).json()

    assert answer["totals"]["requestCount"] == 1
    assert answer["totals"]["breakdown"][0]["key"] == text


def test_every_shape_and_file_has_the_same_numbers(server: Server) -> None:
    tenant = server.tenant()
    record(
        server,
        tenant,
        [
            event_body(
                app=f"app-{number % 7}",
                usage={"inputTokens": number * 37, "outputTokens": number},
                eventTime=(NOW - timedelta(hours=11 * number)).isoformat(),
            )
            for number in range(60)
        ],
    )
    params = {"groupBy": "app", "timezone": "Asia/Kathmandu", "top": "3"}

    def ask(path: str, **more: str) -> str:
        return server.http.get(path, params={**params, **more}, headers=tenant.headers).text

    items = json.loads(ask("/api/v1/analytics/activity"), parse_float=Decimal)
    series = json.loads(ask("/api/v1/analytics/activity", shape="series"), parse_float=Decimal)
    rows = list(csv.DictReader(io.StringIO(ask("/api/v1/exports/activity.csv"))))
    total = Decimal(items["totals"]["cost"])

    assert sum(Decimal(day["cost"]) for day in items["activity"]) == total
    assert Decimal(series["total"]["cost"]) == total
    assert sum(map(Decimal, series["steps"]["cost"])) == total
    assert sum(Decimal(value) for one in series["series"] for value in one["cost"]) == total
    assert sum(Decimal(row["cost"]) for row in rows if row["kind"] != "total") == total
    assert Decimal(rows[-1]["cost"]) == total
    assert [point["date"] for point in series["points"]] == [
        day["date"] for day in items["activity"]
    ]
    assert [one["kind"] for one in series["series"]] == ["value"] * 3 + ["other"]
    assert series["series"][-1]["memberCount"] == 4


def test_earlier_period_is_the_same_part_of_the_previous_weeks(server: Server) -> None:
    tenant = server.tenant()
    week = timedelta(days=7)
    record(
        server,
        tenant,
        [
            event_body(eventTime=(NOW - timedelta(hours=1)).isoformat()),
            event_body(eventTime=(NOW - week - timedelta(hours=1)).isoformat()),
            event_body(eventTime=(NOW - week + timedelta(hours=1)).isoformat()),
        ],
    )

    answer = server.http.get(
        "/api/v1/analytics/activity",
        params={"preset": "7d", "shape": "series"},
        headers=tenant.headers,
    ).json()

    assert answer["total"]["requestCount"] == 1
    assert answer["earlier"]["total"]["requestCount"] == 1
    assert sum(answer["earlier"]["requestCount"]) == 2
    assert answer["series"][0]["earlier"]["requestCount"] == 1
    assert [point["incomplete"] for point in answer["points"]] == [False] * 6 + [True]


def test_percentiles_are_within_their_stated_error(server: Server) -> None:
    tenant = server.tenant()
    durations = [3 + number * number for number in range(1, 201)]
    record(server, tenant, [event_body(durationMs=duration) for duration in durations])

    found = summary(server, tenant)

    for name, rank in {"p50": 100, "p95": 190, "p99": 198}.items():
        exact = sorted(durations)[rank - 1]
        assert abs(float(found["latencyMs"][name]) - exact) <= exact * float(RELATIVE_ERROR) + 0.001
    assert float(found["averageLatencyMs"]) == pytest.approx(sum(durations) / len(durations))


def test_deleted_entities_keep_their_names(server: Server) -> None:
    tenant = server.tenant()
    operator = operator_of(tenant.organization)
    project, _ = server.services.administration.projects.ensure(operator, "Old project")
    record(server, tenant, [event_body(projectId=project.project_id)])
    server.services.administration.projects.delete(operator, project.project_id)

    answer = server.http.get(
        "/api/v1/analytics/activity", params={"groupBy": "project"}, headers=tenant.headers
    ).json()

    assert answer["totals"]["breakdown"][0]["label"] == "Old project (deleted)"


def test_every_response_has_the_security_headers(server: Server) -> None:
    for path in ("/login", "/api/v1/analytics/summary", "/nowhere", "/static/x/css/app.css"):
        headers = server.http.get(path).headers
        assert "require-trusted-types-for 'script'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    assert server.http.get("/api/v1/analytics/summary").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
def test_cross_site_writes_are_refused(server: Server, headers: dict[str, str]) -> None:
    for path in ("/login", "/logout", "/theme", "/v1/usage/events"):
        answer = server.http.post(path, headers=headers, data={"email": "a"})
        assert answer.status_code == 403
        assert answer.json()["code"] == "cross-site"


def test_operations_require_the_operator_token(server: Server) -> None:
    owner = server.tenant()
    for path in (
        "/api/v1/operations/verify",
        "/api/v1/operations/rebuild",
        "/api/v1/operations/events?organization=x",
    ):
        for headers in ({}, owner.headers, {"Authorization": "Bearer wrong"}):
            assert server.http.post(path, headers=headers).status_code == 401


def test_sign_in_is_blocked_after_ten_failures(server: Server) -> None:
    form = {"organization": "nowhere", "email": "nobody@example.test", "password": "wrong"}

    statuses = [server.http.post("/login", data=form).status_code for _ in range(11)]

    assert statuses == [401] * 10 + [429]


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil", "x", ""])
def test_sign_in_does_not_redirect_to_other_sites(target: str) -> None:
    from outlay.web.dashboard.pages.login import HOME, safe_target

    assert safe_target(target) == HOME
    assert safe_target("/organization/analytics?preset=7d") == "/organization/analytics?preset=7d"


def test_aliases_answer_as_the_paths_with_the_prefix_do(server: Server) -> None:
    tenant = server.tenant()
    record(server, tenant, [event_body()])
    for alias in ALIASES:
        path = alias.replace("{user_id}", tenant.member.member_id)
        answers = [
            server.http.get(start + path, params={"preset": "7d"}, headers=tenant.headers)
            for start in ("", API_PREFIX)
        ]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json() == answers[1].json()


def test_only_aliases_are_served_without_the_prefix(server: Server) -> None:
    for path in ("/analytics/summary", "/requests", "/members", "/exports/activity.csv"):
        assert server.http.get(path, headers=server.tenant().headers).status_code == 404


def test_paths_without_the_prefix_name_it(server: Server) -> None:
    answer = server.http.get("/requests", headers=server.tenant().headers)

    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert "/api/v1" in answer.json()["detail"]


def test_wrong_method_names_the_right_one(server: Server) -> None:
    answer = server.http.delete("/api/v1/requests", headers=server.tenant().headers)

    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
    assert answer.json()["detail"] == "This path does not support the method DELETE. Use GET."


@pytest.mark.parametrize(
    ("query", "field", "detail"),
    [
        ("action=luck", "action", "`action` must be one of "),
        ("limit=0", "limit", "`limit` must be at least 1."),
        ("limit=many", "limit", "`limit` must be a whole number."),
        ("from=1e9", "from", "`from` must be a date such as 2026-11-21."),
    ],
)
def test_errors_of_parameters_name_them_as_sent(
    server: Server, query: str, field: str, detail: str
) -> None:
    answer = server.http.get(f"/api/v1/audit?{query}", headers=server.tenant().headers)

    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert answer.json()["detail"].startswith(detail)


def test_errors_of_bodies_are_sentences(server: Server) -> None:
    tenant = server.tenant()

    def refuse(body: str) -> str:
        headers = {**tenant.headers, "Content-Type": "application/json"}
        answer = server.http.post("/api/v1/tags", headers=headers, content=body)
        assert answer.status_code == 400
        return str(answer.json()["detail"])

    assert refuse("{") == "The body must be valid JSON."
    assert refuse("[]") == "The body must be an object."
    assert refuse("{}") == "`key` is required."
    assert refuse('{"key": 1}') == "`key` must be text."

"""The causes of uncertain numbers are named: parts without a price, and unknown counters."""

import csv
import itertools
from datetime import timedelta
from typing import Any

import pytest
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_activity_oracle import store
from tests.acceptance.test_reported_costs import signed_in
from tests.acceptance.test_requests import ask, ids
from tests.factories import NOW, make_event

from outlay.domain.event import Amendment, CostSource, UsageEvent, UsageSource
from outlay.kit.clock import to_us
from outlay.services.analytics import data_quality
from outlay.services.recording.skipped_telemetry import Reason, SkippedKind


def at(hours: float) -> int:
    return to_us(NOW - timedelta(hours=hours))


def partial(parts: str, hours: float = 1, **more: Any) -> UsageEvent:
    return make_event(
        event_time_us=at(hours),
        cost_source=CostSource.PARTIAL,
        cost_pusd=5_000_000_000,
        computed_cost_pusd=5_000_000_000,
        unpriced_parts=parts,
        **more,
    )


REPRICED = partial("output_images", hours=3)
EVENTS = [
    partial("web_searches", event_id="one"),
    partial("acme_credits,web_searches", hours=20, unread="acme_credits", event_id="two"),
    partial("service_tier=scale", hours=2, provider="azure", event_id="three"),
    # Recorded, but no part of it lacks a price.
    make_event(event_time_us=at(2), cost_source=CostSource.COMPUTED, cost_pusd=1, event_id="four"),
    # An unknown counter, with nothing priced, or with a cost reported by the sender.
    make_event(event_time_us=at(5), unread="acme_credits", provider="acme", event_id="five"),
    make_event(
        event_time_us=at(4),
        unread="acme_credits",
        unpriced_parts="acme_credits",
        provider="acme",
        cost_source=CostSource.REPORTED,
        reported_cost_pusd=7,
        cost_pusd=7,
        computed_cost_pusd=5,
        event_id="six",
    ),
    # Repriced: it lacks nothing any more.
    REPRICED,
]


@pytest.fixture(scope="module")
def tenant(server: Server) -> Tenant:
    found = server.tenant()
    store(server, found, EVENTS)
    return found


def health(server: Server, tenant: Tenant, **params: str) -> dict[str, Any]:
    return ask(server, tenant, "/api/v1/analytics/health", **params)


def test_unpriced_parts_are_named(server: Server, tenant: Tenant) -> None:
    found = health(server, tenant)

    assert found["meta"]["partlyPricedRequestCount"] == 4
    assert found["quality"]["partlyPricedRequestCount"]["count"] == 4
    assert found["unpricedParts"]["parts"] == [
        {"name": "web_searches", "kind": "meter", "title": "Web searches", "requestCount": 2},
        {"name": "acme_credits", "kind": "counter", "title": "acme_credits", "requestCount": 1},
        {"name": "output_images", "kind": "meter", "title": "Images", "requestCount": 1},
        {
            "name": "service_tier=scale",
            "kind": "context",
            "title": "service_tier=scale",
            "requestCount": 1,
        },
    ]
    assert found["unpricedParts"]["readFrom"] is None
    azure = health(server, tenant, provider="azure")["unpricedParts"]["parts"]
    assert [part["name"] for part in azure] == ["service_tier=scale"]


def test_unknown_counters_are_named(server: Server, tenant: Tenant) -> None:
    assert health(server, tenant)["unreadCounters"]["counters"] == [
        {
            "provider": "acme",
            "name": "acme_credits",
            "requestCount": 2,
            "firstSeen": "2026-11-20T07:00:00Z",
            "lastSeen": "2026-11-20T08:00:00Z",
        },
        {
            "provider": "openai",
            "name": "acme_credits",
            "requestCount": 1,
            "firstSeen": "2026-11-19T16:00:00Z",
            "lastSeen": "2026-11-19T16:00:00Z",
        },
    ]


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"costSource": "partial", "missing": "web_searches"}, ["one", "two"]),
        ({"missing": "acme_credits"}, ["six", "five", "two"]),
        ({"missing": "service_tier=scale"}, ["three"]),
        ({"missing": "web"}, []),
        ({"hasReportedCost": "true"}, ["six"]),
        ({"hasReportedCost": "true", "hasComputedCost": "true"}, []),
        ({"costSource": "computed"}, ["four"]),
        ({"costSource": "computed", "hasComputedCost": "false"}, ["four"]),
    ],
)
def test_log_links_to_the_affected_requests(
    server: Server, tenant: Tenant, asked: dict[str, str], wanted: list[str]
) -> None:
    found = ask(server, tenant, **asked)

    assert ids(found) == wanted
    assert found["totals"]["requestCount"] == len(wanted)


def test_log_refuses_unknown_filters(server: Server, tenant: Tenant) -> None:
    for name, value in (("hasReportedCost", "yes"), ("costSource", "free"), ("missing", "\x00")):
        answer = server.http.get("/api/v1/requests", params={name: value}, headers=tenant.headers)
        assert (answer.status_code, answer.json()["field"]) == (400, name)


def test_requests_are_sorted_by_cost_difference(server: Server) -> None:
    tenant = server.tenant()
    pairs: list[tuple[int | None, int | None]] = [
        *itertools.product((None, 5, 9), (None, 5, 20)),
        (2**62, 0),
    ]
    events = [
        make_event(
            event_id=f"{reported}-{computed}",
            event_time_us=at(number),
            reported_cost_pusd=reported,
            computed_cost_pusd=computed,
            cost_source=CostSource.REPORTED if reported else CostSource.UNPRICED,
        )
        for number, (reported, computed) in enumerate(pairs)
    ]
    store(server, tenant, events)

    found = ask(server, tenant, sort="costDifference")

    named = [one for one in ids(found) if "None" not in one]
    assert named == ["4611686018427387904-0", "5-20", "9-20", "9-5", "5-5"]
    assert ids(found)[: len(named)] == named
    assert ids(ask(server, tenant, sort="costDifference", order="asc"))[:2] == ["5-5", "9-5"]


def test_voided_requests_are_not_counted_as_unpriced(server: Server) -> None:
    tenant = server.tenant()
    void = make_event(
        **{
            **{name: getattr(REPRICED, name) for name in ("event_time_us", "unpriced_parts")},
            "cost_source": CostSource.PARTIAL,
            "amends": REPRICED.event_id,
            "amendment": Amendment.VOID,
        }
    )
    store(server, tenant, [REPRICED, void, partial("web_searches", hours=3)])

    parts = health(server, tenant)["unpricedParts"]["parts"]
    assert [(part["name"], part["requestCount"]) for part in parts] == [("web_searches", 1)]


def test_number_of_rows_read_is_bounded(
    server: Server, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_quality, "MAX_ROWS", 3)
    found = health(server, tenant)["unpricedParts"]

    assert [part["name"] for part in found["parts"]] == ["service_tier=scale", "web_searches"]
    assert found["readFrom"] == "2026-11-20T10:00:00Z"


def test_files_list_unpriced_parts(server: Server, tenant: Tenant) -> None:
    answer = server.http.get(
        "/api/v1/exports/requests?preset=all&trailer=none&search=two", headers=tenant.headers
    )
    (row,) = csv.DictReader(answer.text.splitlines())

    assert row["costSource"] == "partial"
    assert row["unpricedParts"] == "acme_credits,web_searches"
    assert (row["unreadCounters"], row["computedCost"]) == ("acme_credits", "0.005")


def test_skipped_spans_are_in_the_health_response(server: Server) -> None:
    tenant = server.tenant()
    span = {
        "traceId": "0" * 31 + "1",
        "spanId": "0" * 15 + "1",
        "name": "plan",
        "startTimeUnixNano": str(at(1) * 1000),
        "endTimeUnixNano": str(at(1) * 1000),
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "invoke_agent"}},
            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "9"}},
        ],
    }
    scope = {"scope": {"name": "acme.otel"}, "spans": [span]}
    body = {"resourceSpans": [{"scopeSpans": [scope]}]}
    assert server.http.post("/v1/traces", json=body, headers=tenant.headers).status_code == 200

    (found,) = health(server, tenant)["passedOver"]["spans"]
    assert (found["reason"], found["isLoss"], found["count"]) == ("noCall", True, 1)
    assert (found["instrumentation"], found["operation"]) == ("acme.otel", "invoke_agent")


def test_unknown_usage_and_unknown_price_are_distinguished(server: Server) -> None:
    tenant = server.tenant()
    store(
        server,
        tenant,
        [
            make_event(usage_source=UsageSource.UNKNOWN),
            make_event(input_tokens=5),
            partial("web_searches"),
        ],
    )
    meta = ask(server, tenant, "/api/v1/analytics/summary")["meta"]

    assert meta["unknownUsageRequestCount"] == 1
    assert meta["unpricedRequestCount"] == 1
    assert meta["partlyPricedRequestCount"] == 1


def test_dashboard_names_unread_skipped_and_duplicate_usage(
    server: Server,
) -> None:
    tenant, read = signed_in(server)
    alike = {"input_tokens": 500, "output_tokens": 60, "event_time_us": at(1), "cost_pusd": 10**12}
    twins = [
        make_event(event_id=f"twin-{source}", source=source, **alike)
        for source in ("otel", "native")
    ]
    store(server, tenant, [*twins, make_event(event_time_us=at(5), unread="acme_credits")])
    server.services.skipped_telemetry.note(
        tenant.organization.organization_id,
        [SkippedKind(Reason.NO_CALL, "acme.otel", "invoke_agent")],
    )

    text = read("/monitoring/dashboard")

    assert "Unknown counters" in text
    assert "missing=acme_credits" in text
    assert "invoke_agent" in text
    assert "acme.otel: no known model call inside it" in text
    assert "Possible duplicates" in text
    assert "1 pair in the last week, $1.00 counted twice" in text
    answer = server.http.get("/api/v1/duplicates", headers=tenant.headers).json()["duplicates"]
    pair = {name: answer[0][name]["eventId"] for name in ("kept", "dropped")}
    merged = server.http.post(
        "/api/v1/duplicates/merge", json={"pairs": [pair]}, headers=tenant.headers
    )
    assert merged.json() == {"mergedCount": 1}
    assert "Possible duplicates" not in read("/monitoring/dashboard")

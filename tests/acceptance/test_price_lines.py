"""`GET /api/v1/requests/{id}` shows the parts of a cost, by the price that was applied."""

import json
from decimal import Decimal
from typing import Any

import pytest
from tests.acceptance.conftest import Server, Tenant

USAGE = {
    "inputTokens": 300_001,
    "outputTokens": 2_003,
    "cacheReadInputTokens": 100_003,
    "reasoningOutputTokens": 500,
}


@pytest.fixture
def tenant(server: Server) -> Tenant:
    return server.tenant()


def detail_of(server: Server, tenant: Tenant, **event: Any) -> dict[str, Any]:
    """Record one event and request its detail."""
    sent = {"eventId": "one", "eventTime": "2026-11-20T10:00:00Z", "usage": USAGE, **event}
    answer = server.http.post("/v1/usage/events", json=sent, headers=tenant.headers)
    assert answer.status_code == 200, answer.text
    return detail(server, tenant)


def detail(server: Server, tenant: Tenant) -> dict[str, Any]:
    answer = server.http.get("/api/v1/requests/one", headers=tenant.headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)
    return found


def lines_of(found: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    return {
        line["kind"]: (line["quantity"], line["unitPrice"], line["per"], line["amount"])
        for line in found["priceLines"]
    }


def test_cost_lines_use_the_rate_of_the_tier_and_add_up(server: Server, tenant: Tenant) -> None:
    found = detail_of(server, tenant, model="openai/gpt-5.5", meters={"web_searches": 3})

    million = 10**6
    assert lines_of(found) == {
        "input": (199_998, "10", million, Decimal("1.99998")),
        "cache_read": (100_003, "1", million, Decimal("0.100003")),
        "output": (1_503, "45", million, Decimal("0.067635")),
        "reasoning": (500, "45", million, Decimal("0.0225")),
        "web_searches": (3, "10", 1_000, Decimal("0.03")),
    }
    assert sum(line["amount"] for line in found["priceLines"]) == found["cost"]
    assert found["priceRef"].endswith("/openai/gpt-5.5?above=272000")
    assert found["priceNote"] is None


def test_unpriced_parts_are_listed_with_the_lines(server: Server, tenant: Tenant) -> None:
    found = detail_of(
        server,
        tenant,
        model="openai/gpt-5.5",
        meters={"social_searches": 2},
        priceContext={"service_tier": "scale"},
    )

    assert found["costSource"] == "partial"
    assert found["unpricedParts"] == ["service_tier=scale", "social_searches"]
    assert sum(line["amount"] for line in found["priceLines"]) == found["cost"]


def test_computed_cost_is_explained_for_reported_costs(server: Server, tenant: Tenant) -> None:
    found = detail_of(
        server,
        tenant,
        model="openrouter/openai/gpt-5.5",
        reportedCost="0.5",
    )

    assert found["costSource"] == "reported"
    assert (found["cost"], found["costs"]["reported"]) == (Decimal("0.5"), Decimal("0.5"))
    assert sum(line["amount"] for line in found["priceLines"]) == found["costs"]["computed"]


def test_deleted_organization_price_still_explains_its_requests(
    server: Server, tenant: Tenant
) -> None:
    created = server.http.post(
        "/api/v1/prices", json={"model": "openai/gpt-5.5", "input": "4"}, headers=tenant.headers
    )
    assert created.status_code == 201, created.text
    before = detail_of(server, tenant, model="openai/gpt-5.5")
    price_id = created.json()["priceId"]
    server.http.delete(f"/api/v1/prices/{price_id}", headers=tenant.headers)

    after = detail(server, tenant)

    assert before["priceRef"] == price_id
    assert lines_of(after)["input"] == (199_998, "4", 10**6, Decimal("0.799992"))
    assert after["priceLines"] == before["priceLines"]

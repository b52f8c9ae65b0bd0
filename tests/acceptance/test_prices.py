"""Prices of an organization over HTTP: every field of the file, previews, errors by field."""

from datetime import timedelta
from typing import Any

import pytest
from tests.acceptance.conftest import Server, Tenant
from tests.factories import NOW

from outlay.domain.ids import EventId
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import to_us

FULL: dict[str, Any] = {
    "model": "openai/gpt-5.5",
    "provider": "openai",
    "currency": "EUR",
    "effectiveFrom": "2026-11-01",
    "input": "2",
    "output": "8",
    "cacheRead": "0.2",
    "cacheWrite1h": "4",
    "perRequest": "0.001",
    "meters": {"web_searches": "8"},
    "context": {"service_tier": "flex"},
    "tier": [{"above": 200000, "input": "4"}],
}
SHARE: dict[str, Any] = {
    "provider": "openai",
    "percentOfList": "50",
    "percents": {"web_searches": "100"},
}


@pytest.fixture
def tenant(server: Server) -> Tenant:
    """An organization that used two models last month."""
    tenant = server.tenant()
    reports = [
        UsageReport(
            event_id=EventId(f"evt_{number}"),
            event_time_us=to_us(NOW - timedelta(days=30)),
            provider=mapping.partition("/")[0],
            mapping=mapping,
            usage=TokenUsage(1_000_000, 0),
            user_id="dana",
        )
        for number, mapping in enumerate(("openai/gpt-4o", "openai/gpt-4o", "x/unlisted"))
    ]
    server.services.recorder.record(tenant.organization.organization_id, reports)
    return tenant


def post(server: Server, tenant: Tenant, path: str, body: dict[str, Any]) -> Any:
    return server.http.post(path, json=body, headers=tenant.headers)


def test_every_price_field_is_stored_and_shown(server: Server, tenant: Tenant) -> None:
    rate = {"currency": "EUR", "usd": "1.0842", "effectiveFrom": "2026-10-01"}
    made = post(server, tenant, "/api/v1/exchange-rates", rate).json()
    price = post(server, tenant, "/api/v1/prices", FULL).json()
    share = post(server, tenant, "/api/v1/prices", SHARE).json()

    assert made == {"rateId": made["rateId"], **rate}
    assert price == {
        "priceId": price["priceId"],
        "usdPerUnit": "1.0842",
        **FULL,
        "tier": price["tier"],
    }
    assert share == {"priceId": share["priceId"], **SHARE}
    refused = server.http.delete(f"/api/v1/exchange-rates/{made['rateId']}", headers=tenant.headers)
    assert (refused.status_code, refused.json()["code"]) == (400, "exchange-rate-needed")
    for path in (f"/api/v1/prices/{price['priceId']}", f"/api/v1/exchange-rates/{made['rateId']}"):
        assert server.http.delete(path, headers=tenant.headers).status_code == 204
    listed = server.http.get("/api/v1/prices", headers=tenant.headers).json()["prices"]
    assert listed == [share]


def test_preview_shows_the_effect_on_last_month(server: Server, tenant: Tenant) -> None:
    answer = post(server, tenant, "/api/v1/prices/preview", SHARE).json()
    row = {"requestCount": 2, "costBefore": "5", "costAfter": "2.5", "difference": "-2.5"}

    assert (answer["fromDate"], answer["toDate"]) == ("2026-10-01", "2026-10-31")
    assert answer["total"] == row
    assert answer["models"]["rows"] == [{"value": "gpt-4o", "name": "gpt-4o", **row}]
    assert [found["value"] for found in answer["users"]["rows"]] == ["dana"]
    assert answer["summary"].startswith("2 requests of October 2026")
    assert server.http.get("/api/v1/prices", headers=tenant.headers).json()["prices"] == []

    price = post(server, tenant, "/api/v1/prices", SHARE).json()
    path = f"/api/v1/prices/{price['priceId']}/deletion-preview"
    gone = server.http.get(path, headers=tenant.headers).json()
    assert gone["total"]["difference"] == "2.5"


@pytest.mark.parametrize(
    ("change", "field", "detail"),
    [
        ({"input": "-1"}, "input", "must be an amount such as 4.25"),
        ({"input": "100001"}, "input", "must be between 0 and 100,000 USD, not 100001"),
        ({"cacheWrite1h": "100001"}, "cacheWrite1h", "must be between 0 and 100,000 USD"),
        ({"meters": {"web_search": "1"}}, "meters.web_search", "Unknown meter. Available: "),
        ({"currency": "EURO"}, "currency", "'EURO' is not an ISO 4217 currency"),
        ({"currency": "EUR"}, "currency", "There is no exchange rate for EUR. Add one first."),
        ({"percentOfList": "85"}, "percentOfList", "`percentOfList` cannot be combined"),
        (
            {"effectiveFrom": "2026-11-02", "effectiveTo": "2026-11-02"},
            "effectiveTo",
            "`effectiveTo` must be after",
        ),
        ({"model": "openai/gpt-4o"}, "effectiveFrom", "Overlaps price prc_"),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/prices", "/api/v1/prices/preview"])
def test_error_is_reported_at_its_field_and_nothing_is_stored(
    server: Server, tenant: Tenant, path: str, change: dict[str, Any], field: str, detail: str
) -> None:
    post(server, tenant, "/api/v1/prices", {"model": "openai/gpt-4o", "input": "1", "output": "2"})
    body = {"model": "openai/gpt-5.5", "input": "1", "output": "2", **change}
    answer = post(server, tenant, path, body)

    assert answer.status_code == 400
    assert answer.json()["field"] == field
    assert detail in answer.json()["detail"]
    assert len(server.http.get("/api/v1/prices", headers=tenant.headers).json()["prices"]) == 1


@pytest.mark.parametrize("percent", ["0", "0.85", "1000"])
def test_invalid_percentage_is_refused(server: Server, tenant: Tenant, percent: str) -> None:
    answer = post(
        server, tenant, "/api/v1/prices", {"provider": "openai", "percentOfList": percent}
    )

    assert answer.json()["field"] == "percentOfList"
    assert "must be between 1 and 500 percent" in answer.json()["detail"]

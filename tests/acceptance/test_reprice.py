"""Repricing recorded requests: exact, amended and never edited, and reverted."""

import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_api import event_body, record, summary
from tests.factories import NOW

from outlay.domain.actor import Scope

DAYS = {"from": "2026-11-01", "to": "2026-11-20"}


@pytest.fixture
def tenant(server: Server) -> Tenant:
    return server.tenant()


def call(
    server: Server, tenant: Tenant, method: str, path: str, body: Any = None, status: int = 200
) -> dict[str, Any]:
    answer = server.http.request(method, path, json=body, headers=tenant.headers)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else {}


def add_price(server: Server, tenant: Tenant, **price: str) -> str:
    return str(call(server, tenant, "POST", "/api/v1/prices", price, 201)["priceId"])


def finish(server: Server, tenant: Tenant, begun: dict[str, Any]) -> dict[str, Any]:
    """The run, once it has finished and is in the cube."""
    for _ in range(200):
        found = call(server, tenant, "GET", f"/api/v1/reprices/{begun['repriceId']}")
        if found["state"] != "running":
            break
        time.sleep(0.02)
    assert found["state"] == "finished"
    server.services.projection.catch_up()
    return found


def reprice(server: Server, tenant: Tenant, **body: Any) -> dict[str, Any]:
    wanted = {**DAYS, "reason": "a test", **body}
    return finish(server, tenant, call(server, tenant, "POST", "/api/v1/reprices", wanted, 202))


def revert(server: Server, tenant: Tenant, run: dict[str, Any]) -> dict[str, Any]:
    path = f"/api/v1/reprices/{run['repriceId']}/revert"
    return finish(server, tenant, call(server, tenant, "POST", path, {"reason": "back"}, 202))


def test_unpriced_requests_are_offered_previewed_repriced_and_reverted(
    server: Server, tenant: Tenant
) -> None:
    events = [
        event_body(
            model="acme/rocket-1",
            userId=f"user-{number % 2}",
            eventTime=(NOW - timedelta(days=number)).isoformat(),
        )
        for number in range(4)
    ]
    record(server, tenant, [*events, event_body()])
    before = summary(server, tenant)
    assert before["unpricedRequestCount"] == 4
    assert server.services.reprice_offers.list_for(tenant.organization.organization_id, "UTC") == []

    price = add_price(server, tenant, model="acme/rocket-1", input="2", output="10")
    server.services.watch.check()
    (offer,) = server.services.reprice_offers.list_for(tenant.organization.organization_id, "UTC")
    assert (offer.mapping, offer.requests) == ("acme/rocket-1", 4)

    # 1,000 input tokens at 2 USD and 100 output tokens at 10 USD per million
    preview = call(
        server, tenant, "POST", "/api/v1/reprices/preview", {**DAYS, "onlyLacking": True}
    )
    assert (preview["seenCount"], preview["changedCount"]) == (4, 4)
    assert Decimal(preview["difference"]) == 4 * Decimal("0.003")
    assert [(line["key"], line["requestCount"]) for line in preview["byUser"]] == [
        ("user-0", 2), ("user-1", 2),
    ]  # fmt: skip
    assert [line["key"] for line in preview["byCause"]] == ["had no price"]
    assert summary(server, tenant) == before  # nothing has changed

    run = reprice(server, tenant, onlyLacking=True)
    assert run["table"] == preview
    after = summary(server, tenant)
    assert after["unpricedRequestCount"] == 0
    assert after["requestCount"] == before["requestCount"] == 5
    assert after["inputTokens"] == before["inputTokens"]
    gained = Decimal(str(after["cost"])) - Decimal(str(before["cost"]))
    assert gained == 4 * Decimal("0.003")

    detail = call(server, tenant, "GET", f"/api/v1/requests/{events[0]['eventId']}")
    assert (detail["priceRef"].partition("?")[0], detail["version"]) == (price, 2)
    assert [change["kind"] for change in detail["amendments"]] == ["void", "restate"]
    log = call(server, tenant, "GET", "/api/v1/requests?preset=30d")
    assert len(log["requests"]) == log["totals"]["requestCount"] == 5
    assert {entry["eventId"] for entry in log["requests"]} >= {e["eventId"] for e in events}

    assert reprice(server, tenant)["table"]["changedCount"] == 0  # the result is correct

    back = revert(server, tenant, run)
    assert back["table"]["changedCount"] == 4
    assert summary(server, tenant) == before
    assert call(server, tenant, "GET", f"/api/v1/reprices/{run['repriceId']}")["revertedBy"]
    again = call(
        server, tenant, "POST", f"/api/v1/reprices/{run['repriceId']}/revert", {"reason": "x"}, 409
    )
    assert again["code"] == "already-reverted"


def test_reverting_an_earlier_run_keeps_later_amendments(server: Server, tenant: Tenant) -> None:
    record(server, tenant, [event_body(model="acme/a"), event_body(model="acme/b")])
    add_price(server, tenant, model="acme/a", input="1", output="1")
    second = add_price(server, tenant, model="acme/b", input="1", output="1")
    first_run = reprice(server, tenant)
    call(server, tenant, "DELETE", f"/api/v1/prices/{second}", status=204)
    add_price(server, tenant, model="acme/b", input="3", output="3")
    reprice(server, tenant)

    back = revert(server, tenant, first_run)

    assert (back["table"]["changedCount"], back["skippedCount"]) == (1, 1)
    total = summary(server, tenant)
    assert Decimal(str(total["cost"])) == Decimal("0.0033")
    assert total["unpricedRequestCount"] == 1


def test_filters_and_days_limit_a_repricing(server: Server, tenant: Tenant) -> None:
    old = (NOW - timedelta(days=40)).isoformat()
    record(
        server,
        tenant,
        [
            event_body(model="acme/a"),
            event_body(model="acme/b"),
            event_body(model="acme/a", eventTime=old),
        ],
    )
    for model in ("acme/a", "acme/b"):
        add_price(server, tenant, model=model, input="1", output="1")

    run = reprice(server, tenant, filters={"mapping": ["acme/a"]})

    assert run["table"]["changedCount"] == 1
    assert [line["key"] for line in run["table"]["byModel"]] == ["a"]


def test_merged_users_are_shown_as_one(server: Server, tenant: Tenant) -> None:
    record(
        server,
        tenant,
        [event_body(model="acme/a", userId="alice@x"), event_body(model="acme/a", userId="alice")],
    )
    found = call(server, tenant, "GET", "/api/v1/discovered")["discovered"]
    entry = next(entry for entry in found if entry["value"] == "alice@x")
    path = f"/api/v1/discovered/{entry['discoveredId']}"
    call(server, tenant, "PATCH", path, {"mergedInto": "alice"})
    server.services.watch.check()
    add_price(server, tenant, model="acme/a", input="1", output="1")

    table = call(
        server, tenant, "POST", "/api/v1/reprices/preview", {**DAYS, "filters": {"user": ["alice"]}}
    )

    assert [(line["key"], line["requestCount"]) for line in table["byUser"]] == [("alice", 2)]


def test_spend_by_user_requires_the_usage_scope(server: Server) -> None:
    blind = server.tenant(scopes=frozenset({Scope.DIRECTORY_READ, Scope.USAGE_WRITE}))

    for method, path in (("GET", "/api/v1/reprices"), ("POST", "/api/v1/reprices/preview")):
        refusal = call(server, blind, method, path, DAYS if method == "POST" else None, 403)
        assert refusal["code"] == "scope-required"


def test_run_is_audited(server: Server, tenant: Tenant) -> None:
    record(server, tenant, [event_body()])
    run = reprice(server, tenant, reason="the list was wrong")

    entries = call(server, tenant, "GET", "/api/v1/audit")["entries"]

    entry = next(entry for entry in entries if entry["action"] == "reprice.create")
    assert entry["target"] == run["repriceId"]
    assert entry["after"]["reason"] == "the list was wrong"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"from": "2026-11-20", "to": "2026-11-01"}, "to"),
        ({"from": "1990-01-01", "to": "2026-11-01"}, "from"),
        ({**DAYS, "timezone": "Mars/Olympus"}, "timezone"),
        ({**DAYS, "filters": {"colour": ["red"]}}, "filters"),
        ({**DAYS, "filters": {"model": ["a\x00b"]}}, "filters"),
        ({**DAYS, "filters": {"model": []}}, "filters.model"),
        ({"from": "0000-00-00", "to": "2026-11-01"}, "from"),
        ({"from": "2026-02-30", "to": "2026-11-01"}, "from"),
        ({"from": "2026-11-01", "to": "9999-12-31"}, "from"),
        ({**DAYS, "reason": " "}, "reason"),
        ({**DAYS, "reason": "two\nlines"}, "reason"),
        ({"from": "yesterday", "to": "2026-11-01"}, "from"),
    ],
)
def test_invalid_input_is_refused_at_its_field(
    server: Server, tenant: Tenant, body: dict[str, Any], field: str
) -> None:
    answer = call(server, tenant, "POST", "/api/v1/reprices", {"reason": "a test", **body}, 400)

    assert answer["field"].removeprefix("body.") == field
    assert call(server, tenant, "GET", "/api/v1/reprices") == {"reprices": []}


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    prices=st.lists(
        st.tuples(st.sampled_from(["acme/a", "acme/b"]), st.integers(1, 900)),
        min_size=1,
        max_size=4,
    ),
    tokens=st.lists(st.integers(0, 50_000), min_size=1, max_size=6),
)
def test_totals_after_repricing_use_the_latest_price(
    server: Server, prices: list[tuple[str, int]], tokens: list[int]
) -> None:
    """Whatever was repriced before, the cost of each model is that of its latest price."""
    tenant = server.tenant()
    events = [
        event_body(
            model=("acme/a", "acme/b")[number % 2], usage={"inputTokens": n, "outputTokens": 0}
        )
        for number, n in enumerate(tokens)
    ]
    record(server, tenant, events)
    known: dict[str, tuple[str, int]] = {}
    for model, cents in prices:
        if model in known:
            call(server, tenant, "DELETE", f"/api/v1/prices/{known[model][0]}", status=204)
        rate = str(Decimal(cents) / 100)
        known[model] = (add_price(server, tenant, model=model, input=rate, output="1"), cents)
        reprice(server, tenant)

    total = summary(server, tenant)

    expected = sum(
        Decimal(event["usage"]["inputTokens"] * known[event["model"]][1]) / 100 / 1_000_000
        for event in events
        if event["model"] in known
    )
    assert Decimal(str(total["cost"])) == expected
    assert total["requestCount"] == len(events)

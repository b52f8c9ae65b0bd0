"""Discovered entities: recorded, renamed and merged, without changing any total."""

import random
from decimal import Decimal
from typing import Any

import orjson
import pytest
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_api import event_body

from outlay.domain.dimension import Dimension


@pytest.fixture
def tenant(server: Server) -> Tenant:
    return server.tenant()


def send(server: Server, tenant: Tenant, *events: dict[str, Any]) -> None:
    answer = server.http.post("/v1/usage/events", json=list(events), headers=tenant.headers)
    assert answer.status_code == 200, answer.text
    server.services.projection.catch_up()


def get(server: Server, tenant: Tenant, path: str, **params: Any) -> Any:
    ranged = "discovered" not in path and not path.startswith("/api/v1/requests/")
    params = {"preset": "all", **params} if ranged else params
    answer = server.http.get(path, params=params, headers=tenant.headers)
    assert answer.status_code == 200, answer.text
    return answer.json(parse_float=Decimal)


def discovered(server: Server, tenant: Tenant) -> dict[str, dict[str, Any]]:
    """The discovered entities by value."""
    found = get(server, tenant, "/api/v1/discovered")["discovered"]
    return {entry["value"]: entry for entry in found}


def change(server: Server, tenant: Tenant, value: str, status: int = 200, **body: Any) -> Any:
    entry = discovered(server, tenant)[value]
    url = f"/api/v1/discovered/{entry['discoveredId']}"
    answer = server.http.patch(url, json=body, headers=tenant.headers)
    assert answer.status_code == status, answer.text
    server.services.watch.check()
    return answer.json()


def by(server: Server, tenant: Tenant, group_by: str, **params: Any) -> dict[str, tuple[Any, ...]]:
    """Label → requests, tokens and cost."""
    answer = get(server, tenant, "/api/v1/analytics/activity", groupBy=group_by, top=1000, **params)
    return {
        entry["label"]: (entry["requestCount"], entry["totalTokens"], entry["cost"])
        for entry in answer["totals"]["breakdown"]
    }


def test_unknown_names_appear_immediately_and_can_be_renamed(
    server: Server, tenant: Tenant
) -> None:
    send(
        server,
        tenant,
        event_body(
            projectId="team-7",
            apiKeyId="hash-1",
            userId="ada@example.test",
            groups=["Growth"],
            names={"team-7": "Search", "hash-1": "search-prod"},
        ),
    )

    found = discovered(server, tenant)
    assert {value: (e["dimension"], e["name"], e["source"]) for value, e in found.items()} == {
        "team-7": ("project", "Search", "native"),
        "hash-1": ("apiKey", "search-prod", "native"),
        "ada@example.test": ("user", "ada@example.test", "native"),
        "Growth": ("group", "Growth", "native"),
    }
    before = by(server, tenant, "project")
    change(server, tenant, "team-7", name="Search & Discovery")
    after = by(server, tenant, "project")
    assert list(before) == ["Search"]
    assert after == {"Search & Discovery": before["Search"]}
    rows = get(server, tenant, "/api/v1/analytics/projects")["projects"]
    assert [(row["name"], row["isDiscovered"]) for row in rows] == [("Search & Discovery", True)]
    users = get(server, tenant, "/api/v1/analytics/users")["users"]
    assert users[0]["name"] == "ada@example.test"


def test_project_with_the_name_of_a_configured_one_is_merged_into_it(
    server: Server, tenant: Tenant
) -> None:
    made = server.http.post(
        "/api/v1/projects", json={"name": "Checkout"}, headers=tenant.headers
    ).json()
    send(server, tenant, event_body(projectId="checkout"), event_body(projectId=made["projectId"]))

    assert discovered(server, tenant)["checkout"]["mergedInto"] == made["projectId"]
    assert {label: row[0] for label, row in by(server, tenant, "project").items()} == {
        "Checkout": 2
    }
    for value in ("checkout", made["projectId"]):
        logged = get(server, tenant, "/api/v1/requests", projectId=value)["requests"]
        assert [entry["project"]["label"] for entry in logged] == ["Checkout"] * 2


FIELDS = {"project": "projectId", "apiKey": "apiKeyId", "user": "userId", "group": "groupId"}


@pytest.fixture(scope="module")
def crowd(server: Server) -> Tenant:
    """Several hundred events with entities that nobody has set up."""
    tenant = server.tenant()
    chance = random.Random(7)
    events = []
    for _ in range(400):
        names = [chance.choice(["a", "b", "c", "d"]) for _ in range(4)]
        events.append(
            event_body(
                projectId=f"project-{names[0]}",
                apiKeyId=f"key-{names[1]}",
                userId=f"user-{names[2]}",
                groups=[f"group-{name}" for name in set(names)],
                usage={
                    "inputTokens": chance.randrange(1, 5_000),
                    "outputTokens": chance.randrange(500),
                },
                durationMs=chance.randrange(1, 3_000),
            )
        )
    send(server, tenant, *events)
    return tenant


@pytest.mark.parametrize("dimension", FIELDS)
def test_merged_entities_are_one_everywhere_and_totals_do_not_change(
    server: Server, crowd: Tenant, dimension: str
) -> None:
    prefix = {"apiKey": "key"}.get(dimension, dimension)
    a, b = f"{prefix}-a", f"{prefix}-b"
    other = "user" if dimension == "project" else "project"
    raw = [
        (entry, get(server, crowd, f"/api/v1/requests/{entry['eventId']}"))
        for entry in get(server, crowd, "/api/v1/requests", limit=500)["requests"]
    ]

    def held(detail: dict[str, Any]) -> set[str]:
        """The values of an event."""
        if dimension == "group":
            return {group["id"] for group in detail["groups"]}
        return {detail[dimension]["id"]}

    def expected(wanted: set[str]) -> tuple[int, int, Decimal]:
        """Brute force over single requests: those that have one of some values."""
        events = [detail for _, detail in raw if held(detail) & wanted]
        tokens = sum(event["totalTokens"] for event in events)
        return len(events), tokens, sum((event["cost"] for event in events), Decimal())

    total = get(server, crowd, "/api/v1/analytics/summary")["summary"]
    before = by(server, crowd, dimension)
    change(server, crowd, a, mergedInto=b)
    try:
        after = by(server, crowd, dimension)
        assert a not in after
        assert after[b] == expected({a, b})
        assert {k: v for k, v in after.items() if k != b} == {
            k: v for k, v in before.items() if k not in {a, b}
        }
        for value in (a, b):
            filtered = get(server, crowd, "/api/v1/analytics/summary", **{FIELDS[dimension]: value})
            found = filtered["summary"]
            assert (found["requestCount"], found["totalTokens"], found["cost"]) == expected({a, b})
            log = get(server, crowd, "/api/v1/requests", limit=500, **{FIELDS[dimension]: value})
            assert len(log["requests"]) == expected({a, b})[0]
        nested = get(
            server, crowd, "/api/v1/analytics/activity", groupBy=f"{other},{dimension}", top=9
        )
        parts = [part for entry in nested["totals"]["breakdown"] for part in entry["breakdown"]]
        assert (
            sum(part["requestCount"] for part in parts if part["key"] == b) == expected({a, b})[0]
        )
        assert not [part for part in parts if part["key"] == a]
        latency = get(server, crowd, "/api/v1/analytics/latency", groupBy=dimension)
        (row,) = [row for row in latency["latency"] if row["key"] == b]
        assert row["timedRequestCount"] == expected({a, b})[0]
        report = server.http.get(
            "/api/v1/exports/report",
            params={"preset": "all", "groupBy": dimension, "format": "ndjson"},
            headers=crowd.headers,
        )
        lines = [orjson.loads(line) for line in report.content.splitlines()]
        assert (
            sum(line.get("requestCount", 0) for line in lines if line.get(dimension) == b)
            == (expected({a, b})[0])
        )
        assert get(server, crowd, "/api/v1/analytics/summary")["summary"] == total
    finally:
        change(server, crowd, a, mergedInto="")
    assert by(server, crowd, dimension) == before


def test_merges_form_no_chains_or_cycles(server: Server, crowd: Tenant) -> None:
    change(server, crowd, "project-a", mergedInto="project-b")
    change(server, crowd, "project-b", mergedInto="project-c")
    try:
        found = discovered(server, crowd)
        assert found["project-a"]["mergedInto"] == found["project-b"]["mergedInto"] == "project-c"
        refused = change(server, crowd, "project-c", 400, mergedInto="project-a")
        assert "a different entity" in refused["detail"]
        unknown = change(server, crowd, "project-d", 400, mergedInto="nowhere")
        assert unknown["field"] == "mergedInto"
        change(server, crowd, "project-d", 400, mergedInto="user-a")
        change(server, crowd, "project-d", 400)
        change(server, crowd, "project-d", 400, name="x", mergedInto="project-c")
    finally:
        change(server, crowd, "project-a", mergedInto="")
        change(server, crowd, "project-b", mergedInto="")


def test_discovery_changes_are_audited_and_people_can_be_erased(
    server: Server, tenant: Tenant
) -> None:
    send(server, tenant, event_body(userId="eve@example.test"))
    change(server, tenant, "eve@example.test", name="Eve Doe")
    trail = server.http.get("/api/v1/audit", headers=tenant.headers).json()["entries"]
    assert [e["action"] for e in trail if e["action"].startswith("disc")] == ["discovered.update"]

    services = server.services
    actor = services.access.actor_of_token(tenant.token)
    services.erasure.erase_outsider(actor, "eve@example.test")

    services.watch.check()
    assert discovered(server, tenant) == {}
    assert "Eve" not in server.http.get("/api/v1/audit", headers=tenant.headers).text
    labels = services.analytics.labels(tenant.organization.organization_id, Dimension.USER)
    assert "eve@example.test" not in labels


def test_discovered_entities_per_sender_are_bounded(
    server: Server, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outlay.services.directory.discovery.MAX_DISCOVERED", 5)
    send(server, tenant, *[event_body(projectId=f"p-{number}") for number in range(20)])

    assert len(discovered(server, tenant)) == 5
    assert len(by(server, tenant, "project")) == 20

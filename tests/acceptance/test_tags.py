"""Tags over HTTP: registered, sent, grouped and filtered by, in answers, files and the log."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_ingest import URL
from tests.acceptance.test_kinds_and_sessions import WINDOW, sent

from outlay.domain.actor import Role

TAGS: list[dict[str, str]] = [
    {"team": "search", "env": "prod"},
    {"team": "search"},
    {"team": "ads", "unknown": "x"},
    {},
]


@pytest.fixture(scope="module")
def owner(server: Server) -> Tenant:
    """An organization with two registered tags and four events."""
    tenant = server.tenant()
    for key in ("team", "env"):
        answer = server.http.post("/api/v1/tags", json={"key": key}, headers=tenant.headers)
        assert answer.status_code == 201, answer.text
    events = [
        sent(number) | {"eventId": f"tag-{number}", "tags": tags}
        for number, tags in enumerate(TAGS)
    ]
    answer = server.http.post(URL, json=events, headers=tenant.headers)
    assert answer.is_success, answer.text
    server.services.projection.catch_up()
    return tenant


def get(server: Server, tenant: Tenant, path: str, params: Mapping[str, str]) -> Any:
    answer = server.http.get(path, params={**WINDOW, **params}, headers=tenant.headers)
    assert answer.status_code == 200, answer.text
    return answer.json(parse_float=Decimal)


def counts(answer: Any) -> dict[str, int]:
    return {entry["key"]: entry["requestCount"] for entry in answer["totals"]["breakdown"]}


def test_usage_can_be_grouped_and_filtered_by_tag(server: Server, owner: Tenant) -> None:
    by_team = get(server, owner, "/api/v1/analytics/activity", {"groupBy": "tag:team"})
    assert by_team["groupBy"] == "tag:team"
    assert counts(by_team) == {"search": 2, "ads": 1, "unattributed": 1}
    assert by_team["totals"]["requestCount"] == 4
    assert not by_team["meta"]["groupsOverlap"]

    in_prod = {"groupBy": "tag:team,tag:env", "tag:team": "search"}
    nested = get(server, owner, "/api/v1/analytics/activity", in_prod)["totals"]["breakdown"]
    assert [(part["key"], part["requestCount"]) for part in nested[0]["breakdown"]] == [
        ("prod", 1),
        ("unattributed", 1),
    ]
    of_kinds = get(
        server, owner, "/api/v1/analytics/activity", {"groupBy": "kind", "tag:team": "ads"}
    )
    assert of_kinds["totals"]["requestCount"] == 1
    assert counts(get(server, owner, "/api/v1/analytics/activity", {"groupBy": "tag:unknown"})) == {
        "unattributed": 4
    }


def test_files_and_log_support_tags(server: Server, owner: Tenant) -> None:
    params = {"groupBy": "tag:team,model", "format": "json", "tag:env": "prod"}
    report = get(server, owner, "/api/v1/exports/report", params)
    assert [row["tag:team"] for row in report["rows"]] == ["search"]

    found = get(server, owner, "/api/v1/requests", {"tag:team": "search"})
    assert found["totals"]["requestCount"] == 2
    assert {entry["eventId"] for entry in found["requests"]} == {"tag-0", "tag-1"}
    sessions = get(server, owner, "/api/v1/analytics/sessions", {"tag:team": "ads"})
    assert sessions["totals"]["requestCount"] == 1


def test_invalid_tags_are_refused(server: Server, owner: Tenant) -> None:
    for params in ({"groupBy": "tag:Team"}, {"tag:'": "x"}, {"groupBy": "tag:"}):
        answer = server.http.get(
            "/api/v1/analytics/activity", params={**WINDOW, **params}, headers=owner.headers
        )
        assert answer.status_code == 400, params
        assert "A tag key" in answer.json()["detail"]


def test_keys_are_registered_and_unregistered(server: Server) -> None:
    tenant = server.tenant()
    created = server.http.post("/api/v1/tags", json={"key": "team"}, headers=tenant.headers)
    again = server.http.post("/api/v1/tags", json={"key": "team"}, headers=tenant.headers)
    listed = server.http.get("/api/v1/tags", headers=tenant.headers).json()
    removed = server.http.delete("/api/v1/tags/team", headers=tenant.headers)
    gone = server.http.delete("/api/v1/tags/team", headers=tenant.headers)

    assert created.status_code == 201
    assert again.status_code == 409
    assert [tag["key"] for tag in listed["tags"]] == ["team"]
    assert (removed.status_code, gone.status_code) == (204, 404)
    developer = server.tenant(role=Role.DEVELOPER)
    refused = server.http.post("/api/v1/tags", json={"key": "team"}, headers=developer.headers)
    assert refused.status_code == 403

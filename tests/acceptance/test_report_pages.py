"""The pages of a report are one snapshot, whatever is recorded in between."""

import base64
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_activity_oracle import store
from tests.factories import NOW, make_event

from outlay.domain.amendment import voided
from outlay.domain.dimension import Dimension
from outlay.domain.discovery import Merges
from outlay.domain.event import UsageEvent, join_groups
from outlay.kit.clock import to_us
from outlay.services.analytics import as_of
from outlay.services.directory.discovery import Discovery

WINDOW = {"from": "2026-11-01", "to": "2026-11-30", "timezone": "Asia/Kathmandu"}


def some_events(count: int, since: int = 0) -> list[UsageEvent]:
    """Events of a few users, apps and sets of groups; different ones for another `since`."""
    return [
        make_event(
            event_time_us=to_us(NOW) - (number % 40) * 7_200_000_000,
            user_id=["mem_a", "", f"mem_{since}", "日本"][number % 4],
            app=["web", "cli", f"app_{since}"][number % 3],
            groups=["", join_groups(["g1", "g2"]), f"g{since}"][number % 3],
            cost_pusd=123_456_789_012_345_678 + number,
            input_tokens=number,
        )
        for number in range(since, since + count)
    ]


def ask(server: Server, tenant: Tenant, **params: Any) -> Any:
    return server.http.get(
        "/api/v1/exports/report",
        params={**WINDOW, "format": "json", **params},
        headers=tenant.headers,
    )


def pages(server: Server, tenant: Tenant, **params: Any) -> Iterator[dict[str, Any]]:
    """Pages of seven rows."""
    cursor: dict[str, str] = {}
    while True:
        answer = ask(server, tenant, limit=7, **params, **cursor)
        assert answer.status_code == 200, answer.text
        yield json.loads(answer.text, parse_float=Decimal)
        if "outlay-next-cursor" not in answer.headers:
            return
        cursor = {"cursor": answer.headers["outlay-next-cursor"]}


@pytest.mark.parametrize(
    "question",
    [
        {"groupBy": "user,app", "bucket": "day", "metrics": "cost,requestCount,totalTokens"},
        {"groupBy": "group,user", "bucket": "week", "metrics": "cost"},
        {"groupBy": "app", "userId": ["mem_a", "日本"], "groupId": "g1"},
    ],
    ids=["by day", "by group", "filtered"],
)
def test_pages_stay_consistent_while_usage_arrives(
    server: Server, question: dict[str, Any]
) -> None:
    tenant, other = server.tenant(), server.tenant()
    first = some_events(120)
    store(server, tenant, first)
    whole = json.loads(ask(server, tenant, **question).text, parse_float=Decimal)

    rows: list[dict[str, Any]] = []
    for number, page in enumerate(pages(server, tenant, **question), 1):
        rows += page["rows"]
        assert page["trailer"]["totals"] == whole["trailer"]["totals"]
        assert page["trailer"]["rowCount"] == len(page["rows"]) <= 7
        store(server, tenant, some_events(9, since=number * 1_000))
        store(server, other, some_events(3, since=number))
        # Whole rows are voided: all usage of some hours.
        gone = [event for place, event in enumerate(first) if place % 40 // 2 == number % 20]
        store(server, tenant, [voided(event, "mrg_x") for event in gone])

    assert rows == whole["rows"]
    later = json.loads(ask(server, tenant, **question).text, parse_float=Decimal)
    assert later["trailer"]["totals"]["cost"] > whole["trailer"]["totals"]["cost"]


def start(server: Server, tenant: Tenant, **params: Any) -> str:
    """The cursor of the second page."""
    store(server, tenant, some_events(60))
    answer = ask(server, tenant, groupBy="user,app", bucket="day", limit=7, **params)
    return str(answer.headers["outlay-next-cursor"])


def refusal(server: Server, tenant: Tenant, cursor: str) -> tuple[int, str, str]:
    answer = ask(server, tenant, groupBy="user,app", bucket="day", limit=7, cursor=cursor)
    told = answer.json()
    return answer.status_code, told["code"], told["detail"]


def test_page_is_refused_after_too_many_new_events(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(as_of, "MAX_LATER_EVENTS", 5)
    tenant = server.tenant()
    cursor = start(server, tenant)
    store(server, tenant, some_events(6, since=1_000))

    status, code, detail = refusal(server, tenant, cursor)

    assert (status, code) == (409, "snapshot-gone")
    assert "start again without a cursor" in detail


def test_page_is_refused_after_a_merge_of_users(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = server.tenant()
    cursor = start(server, tenant)
    merged = Merges.of_triples([(Dimension.USER, "mem_a", "mem_0")])
    monkeypatch.setattr(Discovery, "merges", lambda *_: merged)

    assert refusal(server, tenant, cursor)[:2] == (409, "snapshot-gone")


@pytest.mark.parametrize("position", [10**15, -1])
def test_page_with_an_invalid_position_is_refused(server: Server, position: int) -> None:
    """Beyond the loaded position, or in the middle of a batch."""
    tenant = server.tenant()
    cursor = json.loads(base64.urlsafe_b64decode(start(server, tenant)))
    cursor[3] = position if position > 0 else cursor[3] - 1
    forged = base64.urlsafe_b64encode(json.dumps(cursor).encode()).decode()

    assert refusal(server, tenant, forged)[:2] == (409, "snapshot-gone")

"""Reported and computed costs: page, answer and file agree, event by event."""

import csv
import itertools
import json
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_activity_oracle import store
from tests.acceptance.test_requests import WINDOW, ask, ids
from tests.acceptance.world import World
from tests.factories import NOW, make_event

from outlay.domain.actor import Plan, Role
from outlay.domain.event import Amendment, CostSource, UsageEvent
from outlay.domain.ids import EventId
from outlay.kit.clock import to_us

_numbers = itertools.count(1)
PATH = "/api/v1/analytics/reported-costs"
PAGE = "/organization/reported-costs"


def made() -> list[UsageEvent]:
    """Requests of two days with either cost, both or none, some of them voided."""
    chance = random.Random(7)
    events = []
    for number in range(160):
        reported = chance.choice([None, 0, 5_000_000_000, 7_000_000_000_003, 10**17])
        computed = chance.choice([None, 0, 5_000_000_000, 6_999_999_999_998])
        parts = chance.choice(["", "", "web_searches"]) if computed is not None else ""
        event = make_event(
            event_id=f"request-{number:03d}",
            event_time_us=to_us(NOW - timedelta(minutes=13 * number)),
            provider=chance.choice(["openrouter", "openai", "x-ai", ""]),
            model=chance.choice(["gpt-5.5", "grok-4", ""]),
            app=chance.choice(["web", "batch"]),
            meters=chance.choice(["", "web_searches=2", "input_audio_tokens=9,web_searches=1"]),
            reported_cost_pusd=reported,
            computed_cost_pusd=computed,
            unpriced_parts=parts,
            cost_source=CostSource.COMPUTED if computed else CostSource.UNPRICED,
            cost_pusd=computed or 0,
        )
        events.append(event)
        if number % 11 == 0:
            events.append(taken_back(event))
    return events


def taken_back(event: UsageEvent) -> UsageEvent:
    return replace(
        event,
        event_id=EventId(f"void-{event.event_id}"),
        amends=event.event_id,
        amendment=Amendment.VOID,
    )


def signed_in(server: Server) -> tuple[Tenant, Callable[[str], str]]:
    """An organization's owner, and a function that reads a page as the owner."""
    organization = server.services.administration.organizations.create(
        f"Costs {next(_numbers)}", plan=Plan.ENTERPRISE
    )
    person = World(server, organization, f"Costs{next(_numbers)}").add_person(Role.OWNER)

    def read(path: str) -> str:
        answer = httpx.get(server.url + path, params=WINDOW, headers=person.cookie)
        assert answer.status_code == 200, answer.text
        return answer.text

    return Tenant(organization, person.member, person.token), read


@pytest.fixture(scope="module")
def owner(server: Server) -> tuple[Tenant, list[UsageEvent]]:
    tenant = server.tenant()
    events = made()
    store(server, tenant, events)
    return tenant, events


def usd(pusd: int) -> Decimal:
    return Decimal(pusd).scaleb(-12)


def expected(events: Sequence[UsageEvent]) -> dict[str, Any]:
    """Both sums of some events, by plain addition."""
    counts = [(-1 if event.amendment == Amendment.VOID else 1, event) for event in events]
    both = [
        (sign, event.reported_cost_pusd, event.computed_cost_pusd)
        for sign, event in counts
        if event.reported_cost_pusd is not None
        and event.computed_cost_pusd is not None
        and event.unpriced_parts == ""
    ]
    reported = [
        (sign, event.reported_cost_pusd)
        for sign, event in counts
        if event.reported_cost_pusd is not None
    ]
    requests = sum(sign for sign, _, _ in both)
    compared = sum(sign * one for sign, one, _ in both)
    computed = sum(sign * one for sign, _, one in both)
    whole = sum(sign * one for sign, one in reported)
    count = sum(sign for sign, _ in reported)
    return {
        "reportedCostRequestCount": count,
        "reportedCost": usd(whole),
        "comparedRequestCount": requests,
        "comparedReportedCost": usd(compared),
        "computedCost": usd(computed),
        "costDrift": usd(compared - computed) if requests else None,
        "driftShare": pytest.approx((compared - computed) / computed)
        if requests and computed
        else None,
        "uncomparedRequestCount": count - requests,
        "uncomparedReportedCost": usd(whole - compared),
    }


def by_keys(events: Sequence[UsageEvent], *names: str) -> dict[tuple[str, ...], Any]:
    parts: dict[tuple[str, ...], list[UsageEvent]] = defaultdict(list)
    for event in events:
        parts[tuple(getattr(event, name) for name in names)].append(event)
    rows = {keys: expected(part) for keys, part in parts.items()}
    return {keys: row for keys, row in rows.items() if row["reportedCostRequestCount"]}


def rows_of(found: Sequence[dict[str, Any]], *names: str) -> dict[tuple[str, ...], Any]:
    return {
        tuple(row[name] or "" for name in names): {
            name: float(value) if name == "driftShare" and value is not None else value
            for name, value in row.items()
            if name not in {"provider", "model", "kind"}
        }
        for row in found
    }


@pytest.mark.parametrize("filters", [{}, {"app": "web"}, {"provider": "openai"}])
def test_sums_equal_those_of_single_requests(
    server: Server, owner: tuple[Tenant, list[UsageEvent]], filters: dict[str, str]
) -> None:
    tenant, events = owner
    wanted = [e for e in events if all(getattr(e, k) == v for k, v in filters.items())]

    found = ask(server, tenant, PATH, **filters)

    assert rows_of(found["models"], "provider", "model") == by_keys(wanted, "provider", "model")
    assert rows_of(found["providers"], "provider") == by_keys(wanted, "provider")
    assert rows_of([found["totals"]])[()] == expected(wanted)
    with_meter = {
        (meter,): expected([event for event in wanted if meter in event.meters])
        for meter in ("web_searches", "input_audio_tokens")
    }
    assert rows_of(found["kinds"], "kind") == with_meter
    sizes = [abs(row["costDrift"] or 0) for row in found["models"]]
    assert sizes == sorted(sizes, reverse=True)


def test_missing_cost_is_not_counted_as_drift(server: Server) -> None:
    tenant, read = signed_in(server)
    store(server, tenant, [make_event(reported_cost_pusd=5, cost_source=CostSource.REPORTED)])

    found = ask(server, tenant, PATH)["totals"]

    assert (found["costDrift"], found["driftShare"]) == (None, None)
    assert (found["comparedRequestCount"], found["uncomparedRequestCount"]) == (0, 1)
    text = read(PAGE)
    assert "no request has both costs" in text


def test_previous_period_is_included(
    server: Server, owner: tuple[Tenant, list[UsageEvent]]
) -> None:
    tenant, events = owner
    day = {"from": "2026-11-20", "to": "2026-11-20", "timezone": "UTC", "compare": "previous"}
    answer = server.http.get(PATH, params=day, headers=tenant.headers)
    found = json.loads(answer.text, parse_float=Decimal)
    start = to_us(NOW.replace(hour=0))
    noon_before = to_us(NOW - timedelta(days=1))

    today = [event for event in events if event.event_time_us >= start]
    before = [e for e in events if start - 86_400_000_000 <= e.event_time_us < noon_before]
    assert found["totals"]["reportedCost"] == expected(today)["reportedCost"]
    assert found["totals"]["earlier"]["reportedCost"] == expected(before)["reportedCost"]
    assert found["meta"]["earlier"]["from"] == "2026-11-19"


@pytest.mark.parametrize("level", ["provider", "model"])
def test_file_has_the_same_rows(
    server: Server, owner: tuple[Tenant, list[UsageEvent]], level: str
) -> None:
    tenant, _ = owner
    listed = ask(server, tenant, PATH, money="text")[f"{level}s"]
    params = {**WINDOW, "groupBy": level, "trailer": "none"}
    answer = server.http.get(
        "/api/v1/exports/reported-costs", params=params, headers=tenant.headers
    )

    rows = [*csv.DictReader(answer.text.splitlines())]

    assert len(rows) == len(listed)
    for row, one in zip(rows, listed, strict=True):
        for name, value in row.items():
            assert value == str(one[name] if one[name] is not None else ""), name


def test_unknown_level_is_refused(server: Server, owner: tuple[Tenant, list[UsageEvent]]) -> None:
    tenant, _ = owner
    answer = server.http.get("/api/v1/exports/reported-costs?groupBy=user", headers=tenant.headers)

    assert (answer.status_code, answer.json()["field"]) == (400, "groupBy")


def test_page_links_to_requests_with_drift(
    server: Server,
) -> None:
    tenant, read = signed_in(server)
    events = made()
    store(server, tenant, events)
    text = read(PAGE)
    link = "hasReportedCost=true&amp;sort=costDifference"
    assert f"provider=openai&amp;model=gpt-5.5&amp;{link}" in text

    found = ask(
        server,
        tenant,
        provider="openai",
        model="gpt-5.5",
        hasReportedCost="true",
        sort="costDifference",
    )
    row = next(
        one
        for one in ask(server, tenant, PATH)["models"]
        if (one["provider"], one["model"]) == ("openai", "gpt-5.5")
    )
    gone = {event.amends for event in events}
    assert {
        event.event_id
        for event in events
        if (event.provider, event.model) == ("openai", "gpt-5.5")
        and event.reported_cost_pusd is not None
        and not event.amendment
        and event.event_id not in gone
    } == set(ids(found))
    assert row["reportedCostRequestCount"] == len(ids(found)) > 0


def test_empty_page_explains_reported_costs(server: Server) -> None:
    tenant, read = signed_in(server)
    store(server, tenant, [make_event()])

    text = read(PAGE)

    assert "No reported costs in this period" in text
    assert "reportedCost" in text

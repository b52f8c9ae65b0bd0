"""Every endpoint returns what the oracle computes, for any events, filters, zone and window."""

import csv
import io
import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_activity_oracle import FILTERS, questions, store
from tests.oracle import KEYS, add_up, local_time, step_of

from outlay.domain.discovery import NO_MERGES
from outlay.domain.event import Status, UsageEvent
from outlay.domain.latency import RELATIVE_ERROR
from outlay.domain.organization import operator_of
from outlay.domain.period import Interval, period_of_dates, steps_of
from outlay.domain.query import UsageQuery
from outlay.domain.questions import LatencyBins, LatencyByStep
from outlay.services.analytics.latencies import quantiles_us
from outlay.web.http.usage_params import FILTERS as PARAMETERS

EXAMPLES = 2_000 if os.environ.get("OUTLAY_TEST_LONG") else 40
Question = dict[str, Any]
Asked = tuple[list[UsageEvent], Question]
ERRORS = {Status.UPSTREAM_ERROR, Status.GATEWAY_ERROR}


def get(server: Server, tenant: Tenant, path: str, params: Mapping[str, Any]) -> dict[str, Any]:
    answer = server.http.get(path, params=params, headers=tenant.headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = json.loads(answer.text, parse_float=Decimal)
    return found


def common(question: Question) -> Question:
    """The parameters that all endpoints have."""
    return {n: v for n, v in question.items() if n in {"from", "to", "timezone", *FILTERS}}


def kept(events: Iterable[UsageEvent], question: Question) -> list[UsageEvent]:
    """The events that match a query, checked one by one."""
    first, last = date.fromisoformat(question["from"]), date.fromisoformat(question["to"])
    zone = ZoneInfo(question["timezone"])
    return [
        event
        for event in events
        if first <= local_time(event, zone).date() <= last
        and all(
            set(KEYS[dimension](event)) & set(question[name])
            for name, (dimension, _) in FILTERS.items()
            if name in question
        )
    ]


def by(events: Iterable[UsageEvent], keys: Callable[[UsageEvent], list[str]]) -> Any:
    """Events by key; an event may have several keys."""
    found: dict[str, list[UsageEvent]] = defaultdict(list)
    for event in events:
        for key in keys(event):
            found[key].append(event)
    return found


def numbers(item: Mapping[str, Any]) -> Any:
    return Decimal(item["cost"]).normalize(), item["requestCount"], item["totalTokens"]


def near(found: Any, expected: float | None) -> bool:
    """Equal except for the last digits of a float."""
    if found is None or expected is None:
        return found is expected
    return bool(float(found) == pytest.approx(expected))


def check_table(answer: Mapping[str, Any], name: str, key: str, expected: Any) -> None:
    """Check the rows, the unattributed usage, and every field of a row."""
    rows = {row[key]: row for row in answer[name]}
    assert len(rows) == len(answer[name])
    used = {row: numbers(rows[row]) for row in rows if rows[row]["requestCount"]}
    assert used == {value: add_up(events) for value, events in expected.items() if value}
    assert numbers(answer["unattributed"]) == add_up(expected.get("", []))
    for value, row in rows.items():
        events = expected.get(value, [])
        errors = sum(event.status in ERRORS for event in events)
        wrong = sum(event.status is Status.CLIENT_ERROR for event in events)
        timed = [event.duration_us for event in events if event.duration_us is not None]
        assert (row["errorCount"], row["clientErrorCount"]) == (errors, wrong)
        answerable = len(events) - wrong
        assert near(row["errorRate"], errors / answerable if answerable else None)
        assert row["inputTokens"] == sum(event.input_tokens for event in events)
        mean = sum(timed) / len(timed) / 1000 if timed else None
        assert near(row["averageLatencyMs"], mean)
    costs = [row["cost"] for row in answer[name]]
    assert costs == sorted(costs, reverse=True)


@given(questions(), st.lists(st.integers(0, 10**8), min_size=1, max_size=8))
@settings(max_examples=EXAMPLES)
def check_tables(
    server: Server, tenants: Iterator[Tenant], asked: Asked, durations: list[int]
) -> None:
    events, question = asked
    tenant = next(tenants)
    for index, event in enumerate(events):
        object.__setattr__(event, "duration_us", durations[index % len(durations)] or None)
        someone = ["mem_a", tenant.member.member_id, ""][index % 3]
        object.__setattr__(event, "member_id", someone)
    store(server, tenant, events)
    params = common(question)
    wanted = kept(events, question)
    total = add_up(wanted)

    for path, name, key, keys in (
        ("members", "members", "userId", lambda event: [event.member_id]),
        ("projects", "projects", "projectId", KEYS["project"]),
        ("groups", "groups", "groupId", KEYS["group"]),
    ):
        answer = get(server, tenant, f"/api/v1/analytics/{path}", params)
        check_table(answer, name, key, by(wanted, keys))
        assert numbers(answer["totals"]) == total
    check_profile(server, tenant, params, wanted)
    check_users(server, tenant, params, wanted)
    check_page(server, tenant, {**params, "bucket": question["bucket"]}, wanted)
    check_latency(server, tenant, {**params, "groupBy": "app"}, wanted)


def check_profile(
    server: Server, tenant: Tenant, params: Question, wanted: list[UsageEvent]
) -> None:
    project = server.services.administration.projects.create(
        operator_of(tenant.organization), "Of the profile"
    )
    path = f"/api/v1/analytics/projects/{project.project_id}"
    if "projectId" in params:  # the request is for the others only
        answer = server.http.get(path, params=params, headers=tenant.headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    else:
        assert numbers(get(server, tenant, path, params)["summary"]) == add_up([])
    member = get(server, tenant, f"/api/v1/analytics/members/{tenant.member.member_id}", params)
    mine = [event for event in wanted if event.member_id == tenant.member.member_id]
    assert numbers(member["summary"]) == add_up(mine) == numbers(member["totals"])
    check_percentiles(member["summary"], mine)
    for name, dimension in (("costByModel", "model"), ("topApps", "app")):
        expected = by(mine, KEYS[dimension])
        assert add(member[name]) == add_up(mine)
        for entry in member[name]:
            if entry["kind"] == "value":
                assert numbers(entry) == add_up(expected[entry["key"]])
    used = by(mine, KEYS["app"])
    most = max((len(found) for key, found in used.items() if key), default=0)
    assert (member["mostUsed"]["app"] or {"requestCount": 0})["requestCount"] == most


def check_users(server: Server, tenant: Tenant, params: Question, wanted: list[UsageEvent]) -> None:
    expected = by(wanted, KEYS["user"])
    one = get(server, tenant, "/api/v1/analytics/users", {**params, "sort": "requestCount"})
    rows = [row for row in one["users"] if row["requestCount"]]
    assert {row["userId"]: numbers(row) for row in rows} == {
        key: add_up(found) for key, found in expected.items() if key
    }
    counts = [row["requestCount"] for row in one["users"]]
    assert counts == sorted(counts, reverse=True)
    assert numbers(one["unattributed"]) == add_up(expected.get("", []))
    assert numbers(one["totals"]) == add_up(wanted)
    paged = []
    for page in range(1, one["userCount"] + 2):
        part = {**params, "sort": "name", "order": "asc", "page": page, "pageSize": 1}
        paged += get(server, tenant, "/api/v1/analytics/users", {**part, "selected": "mem_a"})[
            "users"
        ]
    assert sorted(row["userId"] for row in paged) == sorted(row["userId"] for row in one["users"])
    found = get(
        server, tenant, "/api/v1/analytics/users", {**params, "search": "EM_A", "selected": "mem_b"}
    )
    assert all("em_a" in row["userId"].lower() for row in found["users"])
    assert numbers(found["selection"]) == add_up(expected.get("mem_b", []))
    check_user_file(server, tenant, {**params, "sort": "requestCount"}, one)


def check_user_file(
    server: Server, tenant: Tenant, params: Question, answer: Mapping[str, Any]
) -> None:
    """Check the table as a file: all rows in order, or only the selected ones."""
    whole = get(server, tenant, "/api/v1/exports/users", {**params, "format": "json"})
    assert [row["user"] for row in whole["rows"]] == [row["userId"] for row in answer["users"]]
    assert [row["cost"] for row in whole["rows"]] == [row["cost"] for row in answer["users"]]
    assert whole["trailer"]["totals"]["requestCount"] == answer["totals"]["requestCount"]
    part = get(
        server, tenant, "/api/v1/exports/users", {**params, "format": "json", "selected": ["mem_a"]}
    )
    assert part["rows"] == [row for row in whole["rows"] if row["user"] == "mem_a"]


def check_page(server: Server, tenant: Tenant, params: Question, wanted: list[UsageEvent]) -> None:
    answer = get(server, tenant, "/api/v1/analytics/users-and-groups", params)
    users, groups = by(wanted, KEYS["user"]), by(wanted, KEYS["group"])
    tiles = answer["tiles"]
    assert numbers(tiles) == add_up(wanted)
    assert tiles["activeUserCount"] == len(users.keys() - {""})
    assert tiles["activeProjectCount"] == len(by(wanted, KEYS["project"]).keys() - {""})
    assert tiles["activeGroupCount"] == len(groups.keys() - {""})
    assert {row["key"]: numbers(row) for row in answer["topUsersByCost"]} == {
        key: add_up(found) for key, found in users.items() if key
    }
    for entry in answer["groups"]:
        key = "" if entry["kind"] == "unattributed" else entry["key"]
        assert numbers(entry) == add_up(groups[key])
        assert sum(entry["series"]["requestCount"]) == entry["requestCount"]
        assert sum(map(Decimal, entry["series"]["cost"])) == entry["cost"]
    zone, first = ZoneInfo(params["timezone"]), date.fromisoformat(params["from"])
    steps: dict[object, set[str]] = defaultdict(set)
    for event in wanted:
        if event.user_id:
            steps[step_of(local_time(event, zone), params["bucket"], first)].add(event.user_id)
    assert sorted(count for count in answer["userSeries"]["activeUserCount"] if count) == sorted(
        len(found) for found in steps.values()
    )


def check_latency(
    server: Server, tenant: Tenant, params: Question, wanted: list[UsageEvent]
) -> None:
    check_latency_steps(server, tenant, params, wanted)
    answer = get(server, tenant, "/api/v1/analytics/latency", {**params, "top": 100})
    for row in answer["latency"]:
        check_percentiles(row, [event for event in wanted if event.app == row["key"]])
    check_percentiles(answer["totals"], wanted)
    assert {row["key"] for row in answer["latency"]} == {e.app for e in wanted} - {""}


def check_latency_steps(
    server: Server, tenant: Tenant, params: Question, wanted: list[UsageEvent]
) -> None:
    """Check the bins of each local day: as many requests as have a duration, and its own
    percentiles."""
    first, last = date.fromisoformat(params["from"]), date.fromisoformat(params["to"])
    query = UsageQuery(
        organization_id=tenant.organization.organization_id,
        merges=NO_MERGES,
        period=period_of_dates(first, last, params["timezone"]),
        interval=Interval.DAY,
        filters={
            PARAMETERS[name]: tuple(values) for name, values in params.items() if name in PARAMETERS
        },
    )
    with server.services.analytics.read() as reader:
        bins, whole = reader.ask(LatencyByStep(query)), reader.ask(LatencyBins(query))
    assert sum(map(Counter, bins.values()), Counter()) == Counter(whole)
    zone = ZoneInfo(params["timezone"])
    days = [step.label for step in steps_of(query.period, Interval.DAY)]
    timed = [event for event in wanted if event.duration_us is not None]
    by_day = by(timed, lambda event: [local_time(event, zone).date().isoformat()])
    assert {days[step] for step in bins} == set(by_day)
    for step, found in bins.items():
        exact = sorted(event.duration_us or 0 for event in by_day[days[step]])
        assert sum(found.values()) == len(exact)
        median = quantiles_us(found)[0.5]
        assert median is not None
        true = exact[max(1, -(-50 * len(exact) // 100)) - 1]
        assert abs(median - true) <= true * float(RELATIVE_ERROR) + 1


def check_percentiles(row: Mapping[str, Any], events: list[UsageEvent]) -> None:
    timed = sorted(event.duration_us for event in events if event.duration_us is not None)
    assert row["timedRequestCount"] == len(timed)
    for name, found in row["latencyMs"].items():
        if not timed:
            assert found is None
            continue
        rank = max(1, -(-int(name[1:]) * len(timed) // 100))
        exact = timed[rank - 1] / 1000
        rounded = 0.000_501  # answers have microseconds
        assert abs(float(found) - exact) <= exact * float(RELATIVE_ERROR) + rounded


@given(questions(), st.sampled_from(["key_a", "key_b"]))
@settings(max_examples=EXAMPLES)
def check_log_and_reports(
    server: Server, tenants: Iterator[Tenant], asked: Asked, key: str
) -> None:
    events, question = asked
    tenant = next(tenants)
    store(server, tenant, events)
    params = common(question)
    wanted = kept(events, question)

    check_log(server, tenant, params, wanted)
    check_reports(server, tenant, {**params, "bucket": question["bucket"]}, wanted)
    check_levels(server, tenant, question, wanted)


def check_log(server: Server, tenant: Tenant, params: Question, wanted: list[UsageEvent]) -> None:
    seen: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    for _ in range(len(wanted) + 2):
        page = get(server, tenant, "/api/v1/requests", {**params, **cursor, "limit": 3})
        assert numbers(page["totals"]) == add_up(wanted)
        seen += page["requests"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert len(seen) == len(wanted)
    assert {row["eventId"]: numbers({**row, "requestCount": 1}) for row in seen} == {
        event.event_id: add_up([event]) for event in wanted
    }
    times = [row["time"] for row in seen]
    assert [t[:19] for t in times] == sorted((t[:19] for t in times), reverse=True)
    least = Decimal(4)
    dear = [event for event in wanted if Decimal(event.cost_pusd).scaleb(-12) >= least]
    check_sorted(server, tenant, {**params, "minCost": str(least)}, dear)


def check_sorted(
    server: Server, tenant: Tenant, params: Question, wanted: list[UsageEvent]
) -> None:
    """Check the order from the highest cost on, in both directions: all matches, and their sums."""
    pages: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while not pages or pages[-1]["next"]:
        asked = {**params, **cursor, "sort": "cost", "limit": 25}
        pages.append(get(server, tenant, "/api/v1/requests", asked))
        cursor = {"cursor": pages[-1]["next"] or ""}
        assert numbers(pages[-1]["totals"]) == add_up(wanted)
    seen = [row for page in pages for row in page["requests"]]
    assert sorted(row["eventId"] for row in seen) == sorted(event.event_id for event in wanted)
    ranks = [-1 if row["costSource"] == "unpriced" else row["cost"] for row in seen]
    assert ranks == sorted(ranks, reverse=True)
    for page, before in zip(pages[:0:-1], pages[-2::-1], strict=True):
        asked = {**params, "cursor": page["previous"], "sort": "cost", "limit": 25}
        assert get(server, tenant, "/api/v1/requests", asked)["requests"] == before["requests"]
    assert pages[0]["previous"] is None


def check_reports(
    server: Server, tenant: Tenant, params: Question, wanted: list[UsageEvent]
) -> None:
    asked = {**params, "groupBy": "user,app,group", "metrics": "cost,requestCount,totalTokens"}
    headers = tenant.headers
    answer = server.http.get(
        "/api/v1/exports/report", params={**asked, "format": "ndjson"}, headers=headers
    )
    *lines, last = answer.text.splitlines()
    rows = [json.loads(line, parse_float=Decimal) for line in lines]
    trailer = json.loads(last, parse_float=Decimal)["trailer"]
    expected = by(wanted, lambda e: [f"{e.user_id}|{e.app}|{g}" for g in e.groups.split(",")])
    found: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        found[f"{row['user']}|{row['app']}|{row['group']}"].append(numbers(row))
    summed = {k: tuple(sum(part) for part in zip(*v, strict=True)) for k, v in found.items()}
    assert {k: (c.normalize(), n, t) for k, (c, n, t) in summed.items()} == {
        k: add_up(v) for k, v in expected.items()
    }
    assert numbers(trailer["totals"]) == add_up(wanted)
    assert trailer["rowCount"] == len(rows) == int(answer.headers["Outlay-Row-Count"])
    table = server.http.get(
        "/api/v1/exports/report", params={**asked, "format": "csv"}, headers=headers
    )
    assert table.headers["Outlay-Rows-Sha256"] == answer.headers["Outlay-Rows-Sha256"]
    cells = list(csv.reader(io.StringIO(table.text)))
    assert len(cells) == len(rows) + 2
    whole = get(server, tenant, "/api/v1/exports/report", {**asked, "format": "json"})
    assert whole["rows"] == rows
    paged: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    for _ in range(len(rows) + 1):
        part = {**asked, **cursor, "format": "json", "limit": 2}
        answer = server.http.get("/api/v1/exports/report", params=part, headers=headers)
        paged += json.loads(answer.text, parse_float=Decimal)["rows"]
        if "Outlay-Next-Cursor" not in answer.headers:
            break
        cursor = {"cursor": answer.headers["Outlay-Next-Cursor"]}
    assert paged == rows


def check_levels(
    server: Server, tenant: Tenant, question: Question, wanted: list[UsageEvent]
) -> None:
    first = question["groupBy"]
    second = "status" if first == "model" else "model"
    asked = {**question, "groupBy": f"{first},{second}"}
    answer = get(server, tenant, "/api/v1/analytics/activity", asked)
    assert answer["groupBy"] == f"{first},{second}"
    assert numbers(answer["totals"]) == add_up(wanted)
    events_of = by(wanted, KEYS[first])
    for entry in answer["totals"]["breakdown"]:
        parts = entry["breakdown"]
        assert add(parts) == numbers(entry)
        if entry["kind"] == "other":
            continue
        mine = events_of["" if entry["kind"] == "unattributed" else entry["key"]]
        expected = by(mine, KEYS[second])
        for part in parts:
            if part["kind"] != "other":
                key = "" if part["kind"] == "unattributed" else part["key"]
                assert numbers(part) == add_up(expected[key])
    for item in answer["activity"]:
        for entry in item["breakdown"]:
            assert add(entry["breakdown"]) == numbers(entry)


def add(items: list[dict[str, Any]]) -> Any:
    cost = sum((Decimal(item["cost"]) for item in items), Decimal(0)).normalize()
    return cost, sum(i["requestCount"] for i in items), sum(i["totalTokens"] for i in items)


@pytest.mark.skipif(EXAMPLES > 1000, reason="the long run below asks the same, more often")
def test_tables_equal_the_oracle(server: Server) -> None:
    check_tables(server, server.tenants())


@pytest.mark.skipif(EXAMPLES > 1000, reason="the long run below asks the same, more often")
def test_log_and_reports_equal_the_oracle(server: Server) -> None:
    check_log_and_reports(server, server.tenants())


@pytest.mark.long
def test_thousands_of_tables_logs_and_reports_equal_the_oracle(server: Server) -> None:
    check_tables(server, server.tenants())
    check_log_and_reports(server, server.tenants())

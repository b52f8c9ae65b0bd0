"""The API's answer equals the oracle's exactly, for any events, filters, grouping, zone and
range."""

import json
import os
import zoneinfo
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.acceptance.conftest import Server, Tenant
from tests.factories import NOW, make_event
from tests.oracle import Values, expect, step_of

from outlay.domain.event import CostSource, Status, UsageEvent
from outlay.domain.period import period_of_dates

ZONES = sorted(zoneinfo.available_timezones())
EXAMPLES = 10_000 if os.environ.get("OUTLAY_TEST_LONG") else 250

TRICKY = [
    ("America/Santiago", date(2026, 4, 4)),
    ("America/Santiago", date(2025, 9, 7)),
    ("America/Havana", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("America/St_Johns", date(2026, 3, 8)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Asia/Kathmandu", date(2026, 6, 1)),
    ("Asia/Kolkata", date(2024, 2, 29)),
    ("Africa/Casablanca", date(2026, 2, 15)),
    ("Pacific/Chatham", date(2026, 4, 5)),
    ("Antarctica/Troll", date(2026, 3, 29)),
]

FILTERS = {
    "projectId": ("project", ["prj_a", "prj_b"]),
    "model": ("model", ["gpt-5.5", "gpt-4o", "claude"]),
    "provider": ("provider", ["openai", "anthropic"]),
    "groupId": ("group", ["grp_a", "grp_b"]),
    "app": ("app", ["web", "cli"]),
    "status": ("status", [status.value for status in Status]),
    "userId": ("user", ["mem_a", "mem_b"]),
}

GROUPINGS = ["model", "mapping", "provider", "project", "apiKey", "user", "group", "app"]

places = st.one_of(
    st.sampled_from(TRICKY),
    st.tuples(st.sampled_from(ZONES), st.dates(date(2020, 1, 5), date(2026, 11, 10))),
)


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[UsageEvent], dict[str, Any]]:
    """Events around a date, and a query around the same date."""
    zone, day = draw(places)
    middle = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    latest = int((NOW - middle).total_seconds())
    offsets = st.integers(-4 * 86_400, min(4 * 86_400, latest)).map(lambda s: s * 1_000_000)
    quarter = st.integers(-400, min(400, latest // 900)).map(lambda q: q * 900 * 1_000_000)
    edges = st.builds(lambda at, by: at + by, quarter, st.sampled_from([-1, 0, 1]))
    events = draw(
        st.lists(
            st.builds(
                make_event,
                event_time_us=st.one_of(offsets, edges).map(
                    lambda by: min(int(middle.timestamp()) * 1_000_000 + by, 2 * 10**15)
                ),
                model=st.sampled_from(["gpt-5.5", "gpt-4o", "claude", "", "__proto__", "other"]),
                mapping=st.sampled_from(["openai/gpt-5.5", "azure/gpt-5.5"]),
                provider=st.sampled_from(["openai", "anthropic"]),
                project_id=st.sampled_from(["prj_a", "prj_b", ""]),
                api_key_id=st.sampled_from(["key_a", "key_b", "key_c", ""]),
                user_id=st.sampled_from(["mem_a", "mem_b", ""]),
                groups=st.sampled_from(["", "grp_a", "grp_a,grp_b", "grp_a,grp_b,grp_c"]),
                app=st.sampled_from(["web", "cli", ""]),
                status=st.sampled_from(list(Status)),
                cost_source=st.sampled_from(list(CostSource)),
                input_tokens=st.integers(0, 10**9),
                output_tokens=st.integers(0, 10**9),
                cost_pusd=st.integers(0, 9 * 10**18),
            ),
            max_size=25,
        )
    )
    length = draw(st.integers(0, 9))
    start = day - timedelta(days=draw(st.integers(0, 5)))
    chosen = draw(st.dictionaries(st.sampled_from(sorted(FILTERS)), st.integers(1, 2), max_size=2))
    filters = {name: draw(st.permutations(FILTERS[name][1]))[:n] for name, n in chosen.items()}
    question = {
        "from": start.isoformat(),
        "to": (start + timedelta(days=length)).isoformat(),
        "timezone": zone,
        "groupBy": draw(st.sampled_from(GROUPINGS)),
        "bucket": draw(st.sampled_from(["hour", "day", "week", "month"])),
        "top": draw(st.integers(1, 6)),
        "rankBy": draw(st.sampled_from(["cost", "requestCount", "totalTokens"])),
        **filters,
    }
    return events, question


def values_of(item: Mapping[str, Any]) -> Values:
    return Decimal(item["cost"]).normalize(), item["requestCount"], item["totalTokens"]


def ask(server: Server, tenant: Tenant, question: Mapping[str, Any]) -> dict[str, Any]:
    answer = server.http.get("/api/v1/analytics/activity", params=question, headers=tenant.headers)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal)  # type: ignore[no-any-return]  # JSON


def store(server: Server, tenant: Tenant, events: list[UsageEvent]) -> None:
    for event in events:
        object.__setattr__(event, "organization_id", tenant.organization.organization_id)
    server.services.ledger.append(events)
    server.services.projection.catch_up()
    if len(events) % 2:
        server.services.projection.fold()  # half of all answers come from narrow rollups


@given(questions())
@settings(max_examples=EXAMPLES)
def check_question(
    server: Server, tenants: Iterator[Tenant], asked: tuple[list[UsageEvent], dict[str, Any]]
) -> None:
    events, question = asked
    tenant = next(tenants)
    store(server, tenant, events)

    answer = ask(server, tenant, question)

    expected = expect(
        events,
        from_date=date.fromisoformat(question["from"]),
        to_date=date.fromisoformat(question["to"]),
        timezone=question["timezone"],
        bucket=question["bucket"],
        group_by=question["groupBy"],
        filters={
            dimension: question[name]
            for name, (dimension, _) in FILTERS.items()
            if name in question
        },
    )
    assert values_of(answer["totals"]) == expected.total
    check_steps(answer, question, expected.by_step)
    check_groups(answer, question, expected.by_key)
    for item in answer["activity"]:
        step = name_of(item, question)
        for entry in item["breakdown"]:
            if entry["kind"] != "other":
                key = "" if entry["kind"] == "unattributed" else entry["key"]
                assert values_of(entry) == expected.by_step_and_key[step, key]
        if question["groupBy"] != "group":
            assert add(item["breakdown"]) == values_of(item)


def name_of(item: Mapping[str, Any], question: Mapping[str, Any]) -> object:
    zone = zoneinfo.ZoneInfo(question["timezone"])
    local = datetime.fromisoformat(item["start"]).astimezone(zone)
    return step_of(local, question["bucket"], date.fromisoformat(question["from"]))


def check_steps(
    answer: Mapping[str, Any], question: Mapping[str, Any], by_step: Mapping[object, Values]
) -> None:
    found = {name_of(item, question): values_of(item) for item in answer["activity"]}
    assert len(found) == len(answer["activity"])
    nothing = (Decimal(0), 0, 0)
    assert {step: values for step, values in found.items() if values != nothing} == {
        step: values for step, values in by_step.items() if values != nothing
    }
    if question["bucket"] == "day":
        first = date.fromisoformat(question["from"])
        last = date.fromisoformat(question["to"])
        expected_days = [
            (first + timedelta(days=number)).isoformat()
            for number in range((last - first).days + 1)
        ]
        assert [item["date"] for item in answer["activity"]] == expected_days


def check_groups(
    answer: Mapping[str, Any], question: Mapping[str, Any], by_key: Mapping[str, Values]
) -> None:
    position = ["cost", "requestCount", "totalTokens"].index(question["rankBy"])
    ranked = sorted((key for key in by_key if key), key=lambda key: (-by_key[key][position], key))
    entries = answer["totals"]["breakdown"]
    shown = [entry for entry in entries if entry["kind"] == "value"]
    assert [entry["key"] for entry in shown] == ranked[: question["top"]]
    for entry in shown:
        assert values_of(entry) == by_key[entry["key"]]
    others = [entry for entry in entries if entry["kind"] == "other"]
    rest = ranked[question["top"] :]
    assert len(others) == bool(rest)
    if rest:
        assert others[0]["memberCount"] == len(rest)
        assert values_of(others[0]) == (
            sum((by_key[key][0] for key in rest), Decimal(0)).normalize(),
            sum(by_key[key][1] for key in rest),
            sum(by_key[key][2] for key in rest),
        )
    none = [entry for entry in entries if entry["kind"] == "unattributed"]
    assert [values_of(entry) for entry in none] == [by_key[key] for key in by_key if not key]


def add(entries: list[dict[str, Any]]) -> Values:
    return (
        sum((Decimal(entry["cost"]) for entry in entries), Decimal(0)).normalize(),
        sum(entry["requestCount"] for entry in entries),
        sum(entry["totalTokens"] for entry in entries),
    )


@pytest.mark.skipif(EXAMPLES > 1000, reason="the long run below asks the same, more often")
def test_answers_equal_the_oracle(server: Server) -> None:
    check_question(server, server.tenants())


@pytest.mark.long
def test_ten_thousand_answers_equal_the_oracle(server: Server) -> None:
    check_question(server, server.tenants())


@pytest.mark.parametrize("zone", ZONES[::9])
def test_a_year_of_days_and_hours_adds_up_in_any_zone(server: Server, zone: str) -> None:
    tenant = server.tenant()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    events = [
        make_event(
            event_time_us=int((start + timedelta(hours=7 * number)).timestamp()) * 1_000_000,
            cost_pusd=number,
        )
        for number in range(1_000)
    ]
    store(server, tenant, events)

    for bucket in ("day", "hour"):
        question = {
            "from": "2026-02-01",
            "to": "2026-10-31",
            "timezone": zone,
            "groupBy": "model",
            "bucket": bucket,
        }
        answer = ask(server, tenant, question)
        expected = expect(
            events,
            from_date=date(2026, 2, 1),
            to_date=date(2026, 10, 31),
            timezone=zone,
            bucket=bucket,
            group_by="model",
            filters={},
        )
        assert values_of(answer["totals"]) == expected.total
        check_steps(answer, question, expected.by_step)
    period = period_of_dates(date(2026, 2, 1), date(2026, 10, 31), zone)
    assert answer["meta"]["start"] == period.start.isoformat().replace("+00:00", "Z")

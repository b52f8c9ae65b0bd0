"""Comparisons with another period, and days with unusual lengths."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from tests.acceptance.conftest import Server, Tenant
from tests.acceptance.test_activity_oracle import store
from tests.factories import NOW, make_event

from outlay.domain.actor import Role
from outlay.domain.event import UsageEvent
from outlay.domain.ids import EventId
from outlay.domain.organization import operator_of
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import to_us


def ask(server: Server, tenant: Tenant, path: str, **params: Any) -> dict[str, Any]:
    answer = server.http.get(path, params=params, headers=tenant.headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = json.loads(answer.text, parse_float=Decimal)
    return found


def hourly(start: datetime, hours: int, **changes: Any) -> list[UsageEvent]:
    """One request per hour in UTC, each a pico-dollar more expensive than the previous one."""
    return [
        make_event(event_time_us=to_us(start + timedelta(hours=n)), cost_pusd=10**9 + n, **changes)
        for n in range(hours)
    ]


@pytest.fixture(scope="module")
def years(server: Server) -> tuple[Tenant, list[UsageEvent]]:
    """Two years of requests, one per hour."""
    tenant = server.tenant(timezone="Europe/Berlin")
    start = datetime(2024, 11, 20, tzinfo=UTC)
    events = hourly(start, 2 * 365 * 24, model="gpt-5.5")
    for index, event in enumerate(events):
        object.__setattr__(event, "app", ["web", "cli", "batch"][index % 3])
    store(server, tenant, events)
    return tenant, events


def summed(events: list[UsageEvent], first: date, days: int, zone: str) -> tuple[Decimal, int]:
    """Cost and requests of some local days, computed event by event."""
    wanted = {first + timedelta(days=n) for n in range(days)}
    kept = [
        event
        for event in events
        if datetime.fromtimestamp(event.event_time_us / 1e6, ZoneInfo(zone)).date() in wanted
    ]
    cost = sum((Decimal(event.cost_pusd).scaleb(-12) for event in kept), Decimal(0))
    return cost.normalize(), len(kept)


def told(item: dict[str, Any]) -> tuple[Decimal, int]:
    return Decimal(item["cost"]).normalize(), item["requestCount"]


@pytest.mark.parametrize(
    ("compare", "since", "first"),
    [
        ("previous", None, date(2026, 9, 19)),
        ("year", None, date(2025, 10, 10)),
        ("custom", "2025-03-20", date(2025, 3, 20)),
    ],
)
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu", "America/Santiago"])
def test_earlier_period_is_aligned_step_by_step(
    server: Server,
    years: tuple[Tenant, list[UsageEvent]],
    compare: str,
    since: str | None,
    first: date,
    zone: str,
) -> None:
    tenant, events = years
    params = {"from": "2026-10-10", "to": "2026-10-27", "timezone": zone, "groupBy": "app"}
    more = {"compare": compare, **({"compareFrom": since} if since else {})}
    answer = ask(server, tenant, "/api/v1/analytics/activity", **params, **more, top=2)

    assert answer["meta"]["earlier"]["from"] == first.isoformat()
    assert len(answer["activity"]) == 18
    for number, item in enumerate(answer["activity"]):
        assert told(item) == summed(events, date(2026, 10, 10) + timedelta(days=number), 1, zone)
        assert told(item["earlier"]) == summed(events, first + timedelta(days=number), 1, zone)
    totals = answer["totals"]
    assert told(totals["earlier"]) == summed(events, first, 18, zone)
    parts = [entry["earlier"] for entry in totals["breakdown"]]
    assert sum(part["requestCount"] for part in parts) == totals["earlier"]["requestCount"]
    assert sum(part["cost"] for part in parts) == totals["earlier"]["cost"]
    summary = ask(
        server,
        tenant,
        "/api/v1/analytics/summary",
        **{key: value for key, value in params.items() if key != "groupBy"},
        **more,
    )
    assert told(summary["earlier"]) == told(totals["earlier"])


def test_unfinished_period_is_compared_with_the_same_part(
    server: Server, years: tuple[Tenant, list[UsageEvent]]
) -> None:
    tenant, events = years
    answer = ask(
        server,
        tenant,
        "/api/v1/analytics/activity",
        preset="mtd",
        compare="previous",
        timezone="UTC",
    )
    part = answer["meta"]["earlierPart"]
    begin, end = (datetime.fromisoformat(part[name]) for name in ("start", "end"))

    assert (end - begin) == (NOW - datetime(2026, 11, 1, tzinfo=UTC)) + timedelta(minutes=15)
    expected = [e for e in events if to_us(begin) <= e.event_time_us < to_us(end)]
    assert answer["totals"]["earlier"]["requestCount"] == len(expected)
    assert answer["activity"][-1]["incomplete"] is True


CALENDAR = [
    ({"preset": "last-month"}, "previous", "2026-09-01", 30),
    ({"preset": "Last-Month"}, "year", "2025-10-01", 31),
    ({"from": "2026-07-01", "to": "2026-09-30"}, "previous", "2026-04-01", 91),
    ({"from": "2026-02-01", "to": "2026-02-28"}, "previous", "2026-01-01", 31),
    ({"from": "2026-03-01", "to": "2026-03-31"}, "previous", "2026-02-01", 28),
    ({"from": "2025-12-01", "to": "2026-02-28"}, "year", "2024-12-01", 90),
    (
        {"from": "2026-10-01", "to": "2026-10-31", "compareFrom": "2026-06-01"},
        "custom",
        "2026-06-01",
        30,
    ),
]


@pytest.mark.parametrize(("asked", "compare", "first", "days"), CALENDAR)
def test_calendar_periods_are_compared_with_calendar_periods(
    server: Server,
    years: tuple[Tenant, list[UsageEvent]],
    asked: dict[str, str],
    compare: str,
    first: str,
    days: int,
) -> None:
    tenant, events = years
    for zone in ("Europe/Berlin", "America/New_York"):
        params = {**asked, "compare": compare, "timezone": zone}
        answer = ask(server, tenant, "/api/v1/analytics/activity", **params)
        earlier = answer["meta"]["earlier"]
        start = date.fromisoformat(first)
        assert (earlier["from"], earlier["to"]) == (
            first,
            (start + timedelta(days=days - 1)).isoformat(),
        )
        assert told(answer["totals"]["earlier"]) == summed(events, start, days, zone)
        summary = ask(server, tenant, "/api/v1/analytics/summary", **params)
        assert told(summary["earlier"]) == told(answer["totals"]["earlier"])
        series = ask(server, tenant, "/api/v1/analytics/activity", **params, shape="series")
        assert series["earlier"]["total"]["cost"] == answer["totals"]["earlier"]["cost"]
        whens = [item["earlier"]["date"] for item in answer["activity"] if item["earlier"]]
        points = [point["date"] for point in series["earlier"]["points"]]
        assert whens == points[: len(whens)]


@pytest.mark.parametrize(
    ("preset", "first", "last", "part"),
    [
        ("mtd", "2026-10-01", "2026-10-20", "2026-10-20"),
        ("qtd", "2026-07-01", "2026-08-20", "2026-08-20"),
        ("ytd", "2025-01-01", "2025-11-20", "2025-11-20"),
    ],
)
def test_to_date_presets_are_compared_with_the_same_days_before(
    server: Server,
    years: tuple[Tenant, list[UsageEvent]],
    preset: str,
    first: str,
    last: str,
    part: str,
) -> None:
    tenant, events = years
    answer = ask(
        server,
        tenant,
        "/api/v1/analytics/activity",
        preset=preset,
        compare="previous",
        timezone="UTC",
    )
    earlier, like = answer["meta"]["earlier"], answer["meta"]["earlierPart"]
    assert (earlier["from"], earlier["to"]) == (first, last)
    end = datetime.fromisoformat(like["end"])
    assert end == datetime.fromisoformat(f"{part}T{NOW + timedelta(minutes=15):%H:%M}+00:00")
    begin = to_us(datetime.fromisoformat(like["start"]))
    expected = [event for event in events if begin <= event.event_time_us < to_us(end)]
    assert answer["totals"]["earlier"]["requestCount"] == len(expected)


def test_recorded_part_of_the_earlier_period_is_reported(server: Server) -> None:
    tenant = server.tenant(timezone="UTC")
    first = datetime(2026, 9, 10, 7, tzinfo=UTC)
    store(server, tenant, hourly(first, 24 * 60))
    for asked, expected in (
        ({"preset": "last-month"}, "part"),  # September, from the 10th
        ({"preset": "7d"}, "all"),
        ({"from": "2026-09-11", "to": "2026-09-11"}, "all"),  # the 10th, from 7:00 on
        ({"from": "2026-09-01", "to": "2026-09-30"}, "nothing"),
        ({"preset": "all"}, "nothing"),
    ):
        for path in ("/api/v1/analytics/activity", "/api/v1/analytics/summary"):
            earlier = ask(server, tenant, path, **asked, compare="previous")["meta"]["earlier"]
            assert (earlier["onRecord"], earlier["compare"]) == (expected, "previous")
            assert earlier["firstRecord"] == "2026-09-10T07:00:00Z"


def test_comparison_can_be_turned_off(
    server: Server, years: tuple[Tenant, list[UsageEvent]]
) -> None:
    for shape in ("breakdown", "series"):
        answer = ask(server, years[0], "/api/v1/analytics/activity", compare="none", shape=shape)
        assert "earlier" not in answer["meta"]
        assert "earlier" not in answer.get("totals", {})


@pytest.mark.parametrize(
    ("written", "meant"),
    [("24H", "24h"), ("7D", "7d"), ("1M", "30d"), ("1m", "30d"), ("3M", "3m"), ("All", "all"),
     ("MTD", "mtd"), ("Last-Month", "last-month")],
)  # fmt: skip
def test_presets_are_case_insensitive(
    server: Server, years: tuple[Tenant, list[UsageEvent]], written: str, meant: str
) -> None:
    for path in ("/api/v1/analytics/summary", "/api/v1/analytics/users", "/api/v1/requests"):
        assert (
            ask(server, years[0], path, preset=written)["meta"]
            == ask(server, years[0], path, preset=meant)["meta"]
        )
    assert (
        ask(server, years[0], "/api/v1/analytics/summary", preset=written)["meta"]["preset"]
        == meant
    )


def test_cut_and_future_steps_are_marked(
    server: Server, years: tuple[Tenant, list[UsageEvent]]
) -> None:
    """NOW is a Friday; the period begins on a Wednesday and ends on a Sunday."""
    params = {"from": "2026-11-04", "to": "2026-12-06", "timezone": "UTC"}
    weeks = ask(server, years[0], "/api/v1/analytics/activity", **params, bucket="week")["activity"]
    flags = [(item["date"], item["partial"], item["incomplete"], item["pending"]) for item in weeks]
    assert flags == [
        ("2026-11-04", True, False, False),
        ("2026-11-09", False, False, False),
        ("2026-11-16", False, True, False),
        ("2026-11-23", False, True, True),
        ("2026-11-30", False, True, True),
    ]
    months = ask(server, years[0], "/api/v1/analytics/activity", **params, bucket="month")[
        "activity"
    ]
    assert [item["partial"] for item in months] == [True, True]
    days = ask(server, years[0], "/api/v1/analytics/activity", **params, bucket="day")["activity"]
    assert next(item["date"] for item in days if item["pending"]) == "2026-11-21"
    assert not any(item["partial"] for item in days)
    answer = server.http.get(
        "/api/v1/exports/activity.csv",
        params={**params, "bucket": "week"},
        headers=years[0].headers,
    )
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["date"]: row["partial"] for row in rows if row["date"]} == {
        "2026-11-04": "true",
        "2026-11-09": "false",
        "2026-11-16": "false",
    }


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"compare": "custom"}, "compareFrom"),
        ({"compare": "previous", "compareFrom": "2026-01-01"}, "compareFrom"),
        ({"compareFrom": "2026-01-01"}, "compareFrom"),
        ({"compare": "next"}, "compare"),
        ({"compare": "custom", "compareFrom": "1999-01-01"}, "compareFrom"),
    ],
)
def test_invalid_comparisons_are_refused(
    server: Server, years: tuple[Tenant, list[UsageEvent]], params: dict[str, str], field: str
) -> None:
    for path in ("/api/v1/analytics/activity", "/api/v1/analytics/summary", "/api/v1/analytics/me"):
        answer = server.http.get(path, params=params, headers=years[0].headers)
        assert (answer.status_code, answer.json()["field"]) == (400, field)


ODD_DAYS = [
    ("America/Santiago", "2026-04-04", 25),
    ("America/Santiago", "2025-09-07", 23),
    ("America/Havana", "2026-03-08", 23),
    ("America/New_York", "2025-11-02", 25),
    ("America/New_York", "2026-11-01", 25),
    ("Asia/Kathmandu", "2026-06-01", 24),
    ("Asia/Kolkata", "2026-02-28", 24),
    ("America/St_Johns", "2026-03-08", 23),
    ("Australia/Lord_Howe", "2026-04-05", 24.5),
    ("Australia/Lord_Howe", "2025-10-05", 23.5),
]


@pytest.mark.parametrize(("zone", "day", "hours"), ODD_DAYS)
def test_days_of_unusual_length_are_exact(
    server: Server, zone: str, day: str, hours: float
) -> None:
    tenant = server.tenant(timezone=zone)
    first = date.fromisoformat(day)
    start = datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(days=2)
    events = [
        make_event(event_time_us=to_us(start + timedelta(minutes=15 * n)), cost_pusd=n)
        for n in range(5 * 96)
    ]
    store(server, tenant, events)

    for bucket in ("day", "hour"):
        answer = ask(
            server, tenant, "/api/v1/analytics/activity", **{"from": day, "to": day}, bucket=bucket
        )
        assert answer["totals"]["requestCount"] == hours * 4
        if bucket == "hour":
            starts = [item["start"] for item in answer["activity"]]
            assert len(starts) == len(set(starts)) == -(-int(hours * 2) // 2)
    assert summed(events, first, 1, zone) == told(answer["totals"])
    for path in ("/api/v1/analytics/summary", "/api/v1/requests", "/api/v1/analytics/users"):
        found = ask(server, tenant, path, **{"from": day, "to": day})
        whole = found["summary"] if "summary" in found else found["totals"]
        assert whole["requestCount"] == hours * 4


def test_ids_can_contain_slashes(server: Server) -> None:
    tenant = server.tenant()
    store(server, tenant, [make_event(event_id="import/2026-11/a?b#c%2Fd")])
    (row,) = ask(server, tenant, "/api/v1/requests")["requests"]

    found = ask(server, tenant, f"/api/v1/requests/{quote(row['eventId'], safe='')}")
    assert found["eventId"] == "import/2026-11/a?b#c%2Fd"


def test_preset_all_starts_at_the_first_event(server: Server) -> None:
    tenant = server.tenant()
    store(server, tenant, [make_event(event_time_us=to_us(datetime(2020, 1, 2, tzinfo=UTC)))])

    for path in (
        "/api/v1/analytics/activity",
        "/api/v1/analytics/members",
        "/api/v1/analytics/users-and-groups",
    ):
        answer = ask(server, tenant, path, preset="all")
        assert answer["meta"]["from"] == "2020-01-02"
        assert answer["totals"]["requestCount"] == 1


def test_deleted_entities_keep_their_usage_and_labels(server: Server) -> None:
    tenant = server.tenant()
    services, operator = server.services, operator_of(tenant.organization)
    administration = services.administration
    _, secret = administration.members.invite(
        operator, f"{tenant.token[-9:]}@x.test", Role.DEVELOPER
    )
    session = administration.sign_in.accept(secret, "Gone Person", "several words are best", "r")
    member_id = services.access.actor_of_session(session).member_id
    project = administration.projects.create(operator, "Gone Project")
    key, _ = administration.keys.create(
        operator, project_id=project.project_id, description="Gone Key", member_id=member_id
    )
    events = hourly(
        NOW - timedelta(hours=30),
        20,
        member_id=member_id,
        user_id=member_id,
        project_id=project.project_id,
        api_key_id=key.api_key_id,
    )
    store(server, tenant, events)
    administration.keys.delete(operator, key.api_key_id)
    administration.projects.delete(operator, project.project_id)
    administration.members.remove(operator, member_id)

    members = ask(server, tenant, "/api/v1/analytics/members")["members"]
    projects = ask(server, tenant, "/api/v1/analytics/projects")["projects"]
    users = ask(server, tenant, "/api/v1/analytics/users", search="gone person")["users"]
    profile = ask(server, tenant, f"/api/v1/analytics/keys/{key.api_key_id}")
    one = ask(server, tenant, f"/api/v1/analytics/members/{member_id}")

    former = next(row for row in members if row["userId"] == member_id)
    assert (former["isFormer"], former["email"], former["requestCount"]) == (True, None, 20)
    assert former["apiKeyCount"] == 0
    assert [(row["name"], row["isDeleted"]) for row in projects] == [("Gone Project", True)]
    assert [row["userId"] for row in users] == [member_id]
    assert profile["apiKey"]["label"] == "Gone Key (deleted)"
    assert profile["summary"]["requestCount"] == one["summary"]["requestCount"] == 20
    assert one["mostUsed"]["model"]["key"] == "gpt-5.5"
    assert sum(item["requestCount"] for item in one["activity"]) == 20


def test_user_who_changes_groups_is_counted_in_the_group_of_the_time(server: Server) -> None:
    tenant = server.tenant()
    services, operator = server.services, operator_of(tenant.organization)
    groups = [services.administration.groups.create(operator, f"G{n}") for n in range(3)]
    member_id, start = tenant.member.member_id, NOW - timedelta(days=9)
    for number, group in enumerate(groups):
        since, until = start + timedelta(days=2 * number), start + timedelta(days=2 * number + 4)
        services.administration.groups.add_member(operator, group.group_id, member_id, since)
        services.administration.groups.remove_member(operator, group.group_id, member_id, until)
    project = services.administration.projects.create(operator, "P")
    key, _ = services.administration.keys.create(
        operator, project_id=project.project_id, description="k", member_id=member_id
    )
    services.watch.check()
    reports = [
        UsageReport(
            event_id=EventId(f"e{n}"),
            event_time_us=to_us(start + timedelta(hours=12 * n, minutes=1)),
            provider="openai",
            mapping="openai/gpt-5.5",
            api_key_id=key.api_key_id,
            usage=TokenUsage(input_tokens=1000, output_tokens=0),
        )
        for n in range(17)
    ]
    services.recorder.record(tenant.organization.organization_id, reports)
    services.projection.catch_up()

    answer = ask(server, tenant, "/api/v1/analytics/groups")
    counts = {row["name"]: row["requestCount"] for row in answer["groups"]}

    assert counts == {"G0": 8, "G1": 8, "G2": 8}
    assert answer["unattributed"]["requestCount"] == 1
    assert answer["totals"]["requestCount"] == 17
    assert answer["meta"]["groupsOverlap"] is True
    by_user = ask(server, tenant, "/api/v1/analytics/activity", groupBy="group,user")
    for entry in by_user["totals"]["breakdown"]:
        assert sum(part["requestCount"] for part in entry["breakdown"]) == entry["requestCount"]


def test_developer_queries_for_others_return_nothing(
    server: Server,
) -> None:
    tenant = server.tenant(role=Role.DEVELOPER)
    mine = {"user_id": tenant.member.member_id, "member_id": tenant.member.member_id}
    others = [
        make_event(user_id=name, member_id="mem_other", api_key_id=name, project_id=name)
        for name in ("-", "", "mem_other", "NULL")
    ]
    store(server, tenant, [*others, make_event(**mine, project_id="prj_mine")])

    assert ask(server, tenant, "/api/v1/requests")["totals"]["requestCount"] == 1
    assert ask(server, tenant, "/api/v1/analytics/projects")["totals"]["requestCount"] == 1
    for name in ("-", "mem_other", "NULL"):
        for path, param in (
            ("/api/v1/requests", "userId"),
            ("/api/v1/analytics/projects", "memberId"),
        ):
            answer = server.http.get(path, params={param: name}, headers=tenant.headers)
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        for params in ({"apiKeyId": name}, {"projectId": name}):
            found = ask(server, tenant, "/api/v1/requests", **params)
            assert (found["totals"]["requestCount"], found["requests"]) == (0, [])
            found = ask(server, tenant, "/api/v1/analytics/projects", **params)
            assert found["totals"]["requestCount"] == 0

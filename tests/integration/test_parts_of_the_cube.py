"""The other rollups of the cube, kinds and sessions: equal to the events, amended or not."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from tests.backdoor import duckdb_of
from tests.factories import NOW, make_event
from tests.integration.test_projection import EVER, verify

from outlay.domain.amendment import restated, standing, voided
from outlay.domain.answers import EntryKind
from outlay.domain.dimension import OF_CELLS, Dimension, Grouping
from outlay.domain.discovery import NO_MERGES
from outlay.domain.errors import Invalid
from outlay.domain.event import CostSource, Status, UsageEvent
from outlay.domain.ids import OrganizationId
from outlay.domain.kind import WHOLE, KindAmount, KindEntry
from outlay.domain.measure import Rank
from outlay.domain.meter import join_meters, split_meters
from outlay.domain.period import Interval, period_of_dates
from outlay.domain.query import RowQuery, UsageQuery
from outlay.domain.questions import (
    Buckets,
    DistinctCounts,
    LatencyBins,
    LatencyByStep,
    LatencyByValue,
    MeterUsage,
    Rows,
    SessionBuckets,
    SessionList,
    SessionParts,
    SessionSummary,
    StepTotals,
)
from outlay.domain.session import SessionQuery, SessionSort
from outlay.domain.tag import Tag
from outlay.kit.clock import to_us
from outlay.services.analytics.breakdowns import by_value
from outlay.services.bundle import Services
from outlay.storage.cube.duckdb.store import DuckDBCube

DAYS = period_of_dates(NOW.date() - timedelta(days=5), NOW.date(), "UTC")
QUERY = UsageQuery(
    organization_id=OrganizationId("org_test"),
    merges=NO_MERGES,
    period=DAYS,
    group_by=Dimension.KIND,
    interval=Interval.TOTAL,
)


def metered_events(count: int, seed: int = 1) -> list[UsageEvent]:
    """Requests of three days: with and without sessions, with meters, priced and reported."""
    random = Random(seed)
    events = []
    for _ in range(count):
        meters = {
            name: random.randrange(1, 50)
            for name in random.sample(["web_searches", "output_images", "audio_milliseconds"], 2)
        } | {"input_audio_tokens": random.randrange(100)}
        costs = {name: quantity * 7 for name, quantity in meters.items() if name != "output_images"}
        is_metered, is_reported = random.random() < 0.4, random.random() < 0.2
        parts = [0] * 5 if is_reported else [random.randrange(10**9) for _ in range(4)] + [0]
        if is_metered and not is_reported:
            parts[4] = sum(costs.values())
        events.append(
            make_event(
                event_time_us=to_us(NOW - timedelta(seconds=random.randrange(3 * 86_400))),
                model=random.choice(["gpt-5.5", "gpt-4o", "claude"]),
                project_id=random.choice(["prj_a", "prj_b", ""]),
                user_id=random.choice(["mem_a", "mem_b", ""]),
                groups=random.choice(["", "grp_a", "grp_a,grp_b"]),
                status=random.choice(list(Status)),
                session_id=random.choice(["", "", "run-1", "run-2", "run-3"]),
                tags=random.choice(["", "team=search", "env=prod,team=search", "env=prod"]),
                input_tokens=random.randrange(1_000, 10**6),
                output_tokens=random.randrange(10**6),
                duration_us=random.randrange(10**8),
                cost_source=CostSource.REPORTED if is_reported else CostSource.COMPUTED,
                cost_pusd=10**9 if is_reported else sum(parts),
                input_cost_pusd=parts[0],
                cache_read_cost_pusd=parts[1],
                cache_write_cost_pusd=parts[2],
                output_cost_pusd=parts[3],
                meter_cost_pusd=parts[4],
                meters=join_meters(meters) if is_metered else "",
                meter_costs=join_meters(costs) if parts[4] else "",
            )
        )
    return events


def amended(events: list[UsageEvent]) -> list[UsageEvent]:
    """Rows that void some of them and replace others."""
    rows = [voided(event, "a") for event in events[::5]]
    for event in events[1::5]:
        instead = replace(
            event,
            model="gpt-5.5",
            cost_pusd=event.cost_pusd - event.meter_cost_pusd + 70,
            meter_cost_pusd=70,
            meters="web_searches=10",
            meter_costs="web_searches=70",
        )
        rows += restated(event, "a", instead)
    return rows


@pytest.fixture
def rows(services: Services) -> list[UsageEvent]:
    """The rows in the ledger and in the cube, partly folded."""
    events = metered_events(250)
    services.ledger.append(events)
    services.projection.catch_up()
    services.projection.fold()
    more = [*amended(events), *metered_events(50, seed=2)]
    services.ledger.append(more)
    services.projection.catch_up()
    return [*events, *more]


def expected_kinds(events: list[UsageEvent]) -> dict[str, KindAmount]:
    """By plain addition, event by event."""
    found: dict[str, KindAmount] = {}

    def add(name: str, quantity: int, cost: int) -> None:
        found[name] = found.get(name, KindAmount(0, 0)).plus(KindAmount(quantity, cost))

    for event in events:
        meters, costs = split_meters(event.meters), split_meters(event.meter_costs)
        sound = meters.get("input_audio_tokens", 0)
        add("uncached_input_tokens", event.input_tokens - sound, event.input_cost_pusd)
        add("cache_read_input_tokens", 0, event.cache_read_cost_pusd)
        add("cache_write_input_tokens", 0, event.cache_write_cost_pusd)
        add("output_tokens", event.output_tokens, event.output_cost_pusd)
        for name, quantity in meters.items():
            add(name, quantity, costs.get(name, 0))
        if event.cost_source is CostSource.REPORTED and not event.meter_costs:
            add(WHOLE, 0, event.cost_pusd)
        elif event.cost_source is CostSource.REPORTED:
            add(WHOLE, 0, event.cost_pusd - event.meter_cost_pusd)
    return {name: amount for name, amount in found.items() if any(amount)}


@pytest.mark.parametrize(
    "filters", [{}, {Dimension.GROUP: ("grp_a",)}, {Dimension.MODEL: ("gpt-4o",)}]
)
def test_kinds_equal_those_of_the_current_events(
    services: Services, rows: list[UsageEvent], filters: dict[Grouping, tuple[str, ...]]
) -> None:
    wanted = [
        event
        for event in standing(rows)
        if all(
            set(getattr(event, dimension.column).split(",")) & set(values)
            for dimension, values in filters.items()
        )
    ]

    found = services.analytics.breakdown(
        replace(QUERY, filters=filters, interval=Interval.DAY, top=100)
    )

    entries = {entry.key: entry for entry in found.entries if isinstance(entry, KindEntry)}
    assert {
        key: KindAmount(entry.quantity, entry.total.cost_pusd) for key, entry in entries.items()
    } == expected_kinds(wanted)
    assert found.total.requests == len(wanted)
    assert found.total.cost_pusd == sum(event.cost_pusd for event in wanted)
    for step, totals in found.by_step.items():
        assert sum(entry.at(step).cost_pusd for entry in found.entries) == totals.cost_pusd
        assert sum(entry.at(step).total_tokens for entry in found.entries) == totals.total_tokens
    assert all(sum(entry.quantities.values()) == entry.quantity for entry in entries.values())


def test_kinds_beyond_the_top_are_other_and_add_up(
    services: Services, rows: list[UsageEvent]
) -> None:
    found = services.analytics.breakdown(replace(QUERY, top=2))

    assert [entry.kind for entry in found.entries] == ["value", "value", "other"]
    assert found.entries[-1].members == len(expected_kinds(standing(rows))) - 2
    assert sum(entry.total.cost_pusd for entry in found.entries) == found.total.cost_pusd
    named = services.analytics.breakdown(replace(QUERY, named=("web_searches",)))
    assert [entry.key for entry in named.entries] == ["web_searches", "other"]


def test_kinds_cannot_be_combined_or_ranked_by_requests() -> None:
    with pytest.raises(Invalid, match="cannot be combined"):
        replace(QUERY, then_by=Dimension.MODEL)
    with pytest.raises(Invalid, match="several kinds"):
        replace(QUERY, ranks=(Rank.REQUESTS,))
    with pytest.raises(Invalid, match="cannot be combined"):
        RowQuery(
            organization_id=OrganizationId("o"),
            merges=NO_MERGES,
            period=EVER,
            group_by=(Dimension.KIND,),
        )


@pytest.mark.parametrize(
    "filters",
    [{}, {Tag("team"): ("search",)}, {Tag("env"): ("prod", "none"), Dimension.MODEL: ("gpt-4o",)}],
)
@pytest.mark.parametrize("second", [None, Tag("team"), Dimension.GROUP])
def test_tags_group_and_filter_by_each_key(
    services: Services,
    rows: list[UsageEvent],
    filters: dict[Grouping, tuple[str, ...]],
    second: Grouping | None,
) -> None:
    def value(event: UsageEvent, dimension: Grouping) -> str:
        if isinstance(dimension, Tag):
            found: dict[str, str] = dict(re.findall(r"(\w+)=(\w+)", event.tags))
            return found.get(dimension.key, "")
        return str(getattr(event, dimension.column))

    wanted = [
        event
        for event in standing(rows)
        if all(value(event, dimension) in values for dimension, values in filters.items())
    ]
    expected = Counter(value(event, Tag("env")) or "unattributed" for event in wanted)

    found = services.analytics.breakdown(
        replace(QUERY, group_by=Tag("env"), then_by=second, filters=filters)
    )

    assert {entry.key: entry.total.requests for entry in found.entries} == expected
    assert found.total.cost_pusd == sum(event.cost_pusd for event in wanted)
    if isinstance(second, Tag):
        assert {
            (entry.key, part.key): part.total.requests
            for entry in found.entries
            for part in entry.parts
        } == Counter(
            (value(event, Tag("env")) or "unattributed", value(event, second) or "unattributed")
            for event in wanted
        )
    with services.analytics.read() as reader:
        row_query = RowQuery(
            organization_id=OrganizationId("org_test"),
            merges=NO_MERGES,
            period=DAYS,
            group_by=(Tag("env"), Dimension.MODEL, Tag("team")),
            filters=filters,
        )
        assert {row.keys: row.measures.requests for row in reader.ask(Rows(row_query))} == Counter(
            (value(event, Tag("env")), event.model, value(event, Tag("team"))) for event in wanted
        )


@pytest.mark.parametrize("sort", list(SessionSort))
def test_sessions_equal_those_of_the_current_events(
    services: Services, rows: list[UsageEvent], sort: SessionSort
) -> None:
    by_session: dict[str, list[UsageEvent]] = {}
    for event in standing(rows):
        if event.session_id and event.project_id == "prj_a":
            by_session.setdefault(event.session_id, []).append(event)
    expected = {
        name: (
            min(event.event_time_us for event in events) // 10**6,
            max(event.event_time_us for event in events) // 10**6,
            len(events),
            sum(event.input_tokens for event in events),
            sum(event.output_tokens for event in events),
            sum(event.cost_pusd for event in events),
            sum(event.status in {Status.UPSTREAM_ERROR, Status.GATEWAY_ERROR} for event in events),
            sum(event.status is Status.CLIENT_ERROR for event in events),
        )
        for name, events in by_session.items()
    }
    keys: dict[SessionSort, Callable[[str], int]] = {
        SessionSort.LAST: lambda name: expected[name][1],
        SessionSort.FIRST: lambda name: expected[name][0],
        SessionSort.COST: lambda name: expected[name][5],
        SessionSort.REQUESTS: lambda name: expected[name][2],
        SessionSort.TOKENS: lambda name: expected[name][3] + expected[name][4],
    }
    query = SessionQuery(
        usage=replace(QUERY, group_by=None, filters={Dimension.PROJECT: ("prj_a",)}), sort=sort
    )

    with services.analytics.read() as reader:
        found = reader.ask(SessionList(query))
        total = reader.ask(SessionSummary(query))
        parts = reader.ask(SessionParts(query))
        buckets = reader.ask(SessionBuckets(replace(query, session_ids=("run-1",))))

    assert {one.session_id: (one.first_at, one.last_at, *one.measures) for one in found} == expected
    order = [one.session_id for one in found]
    assert order == sorted(expected, key=lambda name: (-keys[sort](name), name))
    assert total.sessions == len(expected)
    assert total.measures.cost_pusd == sum(values[5] for values in expected.values())
    assert {(part.session_id, part.values[0]) for part in parts} == {
        (name, event.model) for name, events in by_session.items() for event in events
    }
    assert sum(requests for _, requests in buckets) == expected["run-1"][2]


def test_first_request_of_a_session_can_be_voided(services: Services) -> None:
    start = to_us(NOW - timedelta(hours=3))
    events = [
        make_event(session_id="s", event_time_us=start + minute * 60_000_000, cost_pusd=1)
        for minute in range(0, 120, 40)
    ]
    services.ledger.append([*events, voided(events[0], "a"), voided(events[2], "a")])
    services.projection.catch_up()

    with services.analytics.read() as reader:
        (found,) = reader.ask(SessionList(SessionQuery(usage=replace(QUERY, group_by=None))))

    assert found.first_at == found.last_at == events[1].event_time_us // 10**6
    assert found.measures.requests == 1


def test_completely_voided_usage_disappears(services: Services) -> None:
    kept = [make_event(model="kept", user_id="mem_a", groups="g", duration_us=5, cost_pusd=2)]
    gone = [
        make_event(
            model="gone",
            mapping="x/gone",
            provider="x",
            user_id="mem_b",
            groups="h",
            app="gone",
            session_id="gone",
            duration_us=5,
            cost_pusd=3,
            meters="web_searches=1",
            meter_costs="web_searches=3",
            meter_cost_pusd=3,
        )
        for _ in range(3)
    ]
    services.ledger.append([*kept, *gone])
    services.projection.catch_up()
    services.projection.fold()
    services.ledger.append([voided(event, "a") for event in gone])
    services.projection.catch_up()

    for _ in range(2):  # before and after the fold
        for dimension in OF_CELLS:
            query = replace(QUERY, group_by=dimension)
            found = services.analytics.breakdown(query)
            assert sum(entry.total.requests for entry in found.entries) == 1, dimension
            assert len(found.entries) == 1, dimension
            pair = next(one for one in OF_CELLS if one is not dimension)
            nested = services.analytics.breakdown(replace(query, then_by=pair))
            assert [len(entry.parts) for entry in nested.entries] == [1], dimension
            with services.analytics.read() as reader:
                assert len(by_value(reader, query, dimension)) == 1
                assert len(reader.ask(LatencyByValue(query, dimension))) == 1
        with services.analytics.read() as reader:
            plain = replace(QUERY, group_by=None)
            assert reader.ask(
                DistinctCounts(plain, (Dimension.USER, Dimension.MODEL, Dimension.GROUP))
            ) == {0: (1, 1, 1)}
            only_gone = replace(plain, filters={Dimension.MODEL: ("gone",)})
            assert reader.ask(StepTotals(only_gone)) == {}
            assert reader.ask(Buckets(only_gone)) == []
            assert reader.ask(LatencyBins(only_gone)) == {}
            assert reader.ask(LatencyByStep(only_gone)) == {}
            assert reader.ask(MeterUsage(plain)) == []
            assert reader.ask(SessionList(SessionQuery(usage=plain))) == []
            assert reader.ask(SessionSummary(SessionQuery(usage=plain))).sessions == 0
        kinds = services.analytics.breakdown(QUERY).entries
        assert [(entry.key, entry.kind) for entry in kinds] == [(WHOLE, EntryKind.VALUE)]
        assert verify(services).is_proven
        services.projection.fold()


DAMAGES = [
    ("meters", "quantity = quantity + 1", "quantity = quantity - 1"),
    ("meters", "cost_pusd = cost_pusd - 1", "cost_pusd = cost_pusd + 1"),
    ("meters", "requests = requests + 1", "requests = requests - 1"),
    ("meters", "meter = -meter", "meter = -meter"),
    ("sessions", "second = second + 1", "second = second - 1"),
    ("sessions", "session_id = 'x' || session_id", "session_id = session_id[2:]"),
    ("sessions", "input_tokens = input_tokens + 1", "input_tokens = input_tokens - 1"),
    ("sessions", "errors = errors + 1", "errors = errors - 1"),
]


@pytest.mark.parametrize("kind", ["rollup", "delta"])
def test_verify_finds_damage_and_rebuild_repairs_it(
    services: Services, rows: list[UsageEvent], kind: str
) -> None:
    cube = services.projection.slot.cube
    assert isinstance(cube, DuckDBCube)

    for part, damage, undo in DAMAGES:
        name = f"{part}_{kind}"
        ((row,),) = duckdb_of(cube).execute(f"SELECT min(rowid) FROM {name}").fetchall()
        duckdb_of(cube).execute(f"UPDATE {name} SET {damage} WHERE rowid = {row}")

        report = verify(services)

        assert not report.is_proven, damage
        assert any(f", {part} " in difference.where for difference in report.differences), damage
        duckdb_of(cube).execute(f"UPDATE {name} SET {undo} WHERE rowid = {row}")
    list(services.maintenance.rebuild())
    assert verify(services).is_proven


def test_rebuilt_cube_equals_an_incrementally_loaded_one(
    services: Services, rows: list[UsageEvent]
) -> None:
    sessions = SessionQuery(usage=replace(QUERY, group_by=None))

    def answers() -> tuple[object, ...]:
        with services.analytics.read() as reader:
            return (
                services.analytics.breakdown_in(reader, replace(QUERY, top=100)),
                reader.ask(SessionList(sessions)),
                reader.ask(SessionSummary(sessions)),
                sorted(reader.ask(SessionParts(sessions))),
            )

    before = answers()
    list(services.maintenance.rebuild())

    assert answers() == before
    assert verify(services).is_proven

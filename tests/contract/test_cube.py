"""SQLite with DuckDB and PostgreSQL with ClickHouse give the same answers, row for row."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.clocks import FixedClock
from tests.factories import NOW, make_event
from tests.postgres import Cluster

from outlay.domain.amendment import voided
from outlay.domain.dimension import OF_CELLS, Dimension
from outlay.domain.discovery import Merges
from outlay.domain.event import CostSource, Status, UsageEvent, UsageSource
from outlay.domain.measure import Rank
from outlay.domain.period import Interval, period_of_dates
from outlay.domain.query import RowQuery, UsageQuery
from outlay.domain.questions import (
    Buckets,
    DistinctCounts,
    Groups,
    LatencyBins,
    LatencyByStep,
    LatencyByValue,
    MeterUsage,
    NestedGroups,
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
from outlay.services.cube.cube_sums import CubeSums, note_latency, note_part, note_usage
from outlay.services.cube.ledger_sums import LedgerSums
from outlay.services.cube.projection import load_some
from outlay.storage.cube.clickhouse import store as clickhouse_store
from outlay.storage.cube.clickhouse.home import ClickHouseHome
from outlay.storage.cube.duckdb.store import DuckDBCube
from outlay.storage.cube.rollup_questions import Cells, Fingerprints
from outlay.storage.cube.rollups import LATENCY, ROLLUPS, USAGE
from outlay.storage.cube.store import Cube, CubeReader
from outlay.storage.ledger.postgres.store import PostgresLedger
from outlay.storage.ledger.postgres.write_ahead_buffer import WriteAheadBuffer
from outlay.storage.ledger.rows import to_row
from outlay.storage.ledger.sqlite.store import SqliteLedger
from outlay.storage.ledger.store import Ledger
from outlay.storage.postgres import PostgresDatabase

EXAMPLES = 2_000 if os.environ.get("OUTLAY_TEST_LONG") else 21
NAMES = ["", "a", "b", "c d", "ü\u2028\t'\\", "__proto__"]
MERGES = [
    (Dimension.PROJECT, "a", "b"),
    (Dimension.USER, "a", "b"),
    (Dimension.USER, "c d", "new"),
    (Dimension.GROUP, "g1", "g2"),
]
ZONES = ["UTC", "America/Santiago", "Asia/Kathmandu", "Australia/Lord_Howe"]
FILTERED = [Dimension.MODEL, Dimension.GROUP, Dimension.USER, Dimension.APP, Tag("team")]
GROUPED = [*OF_CELLS, Tag("team"), Tag("env")]

HUGE = 9 * 10**18
"""Two of these do not fit 64 bits."""

_organizations = count(1)


@dataclass
class Side:
    """A ledger and its cube."""

    ledger: Ledger
    cube: Cube
    loaded: int = 0

    def take(self, events: list[UsageEvent], *, is_folded: bool) -> None:
        """Store events and load them, folded into the rollups or not."""
        if events:
            self.ledger.append(events)
        while self.loaded < self.ledger.newest_seq():
            self.loaded = load_some(self.ledger, self.cube, self.loaded)
        if is_folded:
            fold_now(self.cube)


def fold_now(cube: Cube) -> None:
    """Fold, even if it is not due."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clickhouse_store, "FOLD_SECONDS", 0.0)
        cube.fold()


@pytest.fixture(scope="module")
def sides(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, chdb: Callable[[], str]
) -> Iterator[tuple[Side, Side]]:
    folder, clock = tmp_path_factory.mktemp("sides"), FixedClock(NOW)
    sqlite = SqliteLedger(folder / "ledger.sqlite3", clock)
    duckdb = DuckDBCube(folder / "cube.duckdb", sqlite.edition)
    database = PostgresDatabase(cluster.create_database())
    spool = WriteAheadBuffer(folder / "journal.sqlite3", 1_000)
    postgres = PostgresLedger(database, clock, node_id="node", buffer=spool)
    home = ClickHouseHome(chdb())
    clickhouse = home.open(postgres.edition)
    yield Side(sqlite, duckdb), Side(postgres, clickhouse)
    sqlite.close()
    duckdb.close()
    postgres.close()
    database.close()
    home.close()


@dataclass(frozen=True)
class Case:
    """Usage of an organization and a query about it."""

    events: list[UsageEvent]
    is_folded: bool
    more: list[UsageEvent]
    """Stored after the fold, if there is one."""
    query: UsageQuery
    rows: RowQuery
    session_sort: SessionSort


@st.composite
def cases(draw: st.DrawFn) -> Case:
    day = draw(st.dates(date(2024, 1, 5), date(2026, 11, 10)))
    zone = draw(st.sampled_from(ZONES))
    organization_id = f"org_{next(_organizations)}"
    middle = to_us(datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
    events = st.lists(
        st.builds(
            make_event,
            organization_id=st.just(organization_id),
            event_time_us=st.integers(-4 * 96, 4 * 96).map(
                lambda by: middle + by * 900_000_000 + 7
            ),
            model=st.sampled_from(NAMES),
            mapping=st.sampled_from(NAMES),
            provider=st.sampled_from(["openai", "anthropic"]),
            project_id=st.sampled_from(NAMES),
            api_key_id=st.sampled_from(NAMES),
            member_id=st.sampled_from(NAMES),
            user_id=st.sampled_from(NAMES),
            groups=st.sampled_from(["", "g1", "g1,g2", "g1,g2,g3"]),
            app=st.sampled_from(NAMES),
            end_user=st.sampled_from(NAMES),
            status=st.sampled_from(list(Status)),
            usage_source=st.sampled_from(list(UsageSource)),
            cost_source=st.sampled_from(list(CostSource)),
            input_tokens=st.integers(0, 10**9),
            output_tokens=st.integers(0, 10**9),
            duration_us=st.one_of(st.none(), st.integers(0, 10**9)),
            time_to_first_token_us=st.one_of(st.none(), st.integers(0, 10**6)),
            is_stream=st.integers(0, 1),
            cost_pusd=st.one_of(st.integers(0, 10**6), st.integers(HUGE, HUGE + 100)),
            meters=st.sampled_from(["", "web_searches=2", "input_pixels=7,web_searches=1"]),
            meter_costs=st.sampled_from(["", "web_searches=5", f"web_searches={HUGE}"]),
            session_id=st.sampled_from(["", *NAMES]),
            tags=st.sampled_from(["", "team=a", "env=ü,team=b", "env=prod"]),
        ),
        max_size=15,
    )
    wanted = st.sampled_from([*NAMES[1:], "g1", "g2"])
    start = day - timedelta(days=draw(st.integers(0, 4)))
    common: dict[str, Any] = {
        "organization_id": organization_id,
        "period": period_of_dates(start, start + timedelta(days=draw(st.integers(0, 8))), zone),
        "interval": draw(st.sampled_from(list(Interval))),
        "filters": draw(
            st.dictionaries(
                st.sampled_from(FILTERED),
                st.lists(wanted, min_size=1, max_size=2, unique=True).map(tuple),
                max_size=2,
            )
        ),
        "merges": Merges(tuple(draw(st.lists(st.sampled_from(MERGES), max_size=3, unique=True)))),
    }
    first, second = draw(st.permutations(GROUPED))[:2]
    query = UsageQuery(
        **common,
        group_by=first,
        then_by=second,
        top=draw(st.integers(1, 4)),
        ranks=tuple(draw(st.permutations(list(Rank)))[: draw(st.integers(1, 3))]),
    )
    dimensions = tuple(draw(st.permutations(GROUPED))[: draw(st.integers(0, 3))])
    stored = draw(events)
    taken_back = [voided(event, "test") for event in stored if draw(st.booleans())]
    return Case(
        stored,
        draw(st.booleans()),
        [*draw(events), *taken_back],
        query,
        RowQuery(**common, group_by=dimensions),
        draw(st.sampled_from(list(SessionSort))),
    )


def answers(reader: CubeReader, case: Case) -> Mapping[str, Any]:
    """The answers to all questions, in the order of the engine if they have one."""
    query = case.query
    flat = replace(query, then_by=None)
    breakdown = sorted(reader.ask(Groups(flat)))
    named = tuple({row.key for row in breakdown if row.kind == "value"})
    window = (query.organization_id, query.period.start_bucket, query.period.end_bucket)
    return {
        "totals": reader.ask(StepTotals(replace(flat, group_by=None))),
        "breakdown": breakdown,
        "named": sorted(reader.ask(Groups(replace(flat, named=named[:1])))),
        "nested": sorted(reader.ask(NestedGroups(query, named))),
        "rows": list(reader.ask(Rows(case.rows))),
        "page": list(reader.ask(Rows(following(case.rows, reader)))),
        "distinct": reader.ask(
            DistinctCounts(flat, (Dimension.USER, Dimension.GROUP, Dimension.MODEL))
        ),
        "meters": sorted(reader.ask(MeterUsage(flat))),
        "buckets": reader.ask(Buckets(flat)),
        **session_answers(reader, case),
        "bins": reader.ask(LatencyBins(flat)),
        "bins by step": reader.ask(LatencyByStep(flat)),
        "bins by value": reader.ask(LatencyByValue(flat, query.group_by or Dimension.MODEL)),
        "cells": {spec.name: dict(reader.ask(Cells(spec, *window))) for spec in ROLLUPS},
    }


def session_answers(reader: CubeReader, case: Case) -> Mapping[str, Any]:
    """The answers to all questions about sessions."""
    asked = SessionQuery(
        usage=case.query, sort=case.session_sort, is_descending=case.is_folded, page_size=3
    )
    some = replace(asked, session_ids=("a", "b"))
    return {
        "sessions": reader.ask(SessionList(asked)),
        "sessions, next page": reader.ask(SessionList(replace(asked, page=2))),
        "some sessions": reader.ask(SessionList(some)),
        "session totals": reader.ask(SessionSummary(asked)),
        "session parts": sorted(reader.ask(SessionParts(asked))),
        "session buckets": reader.ask(SessionBuckets(some)),
    }


def following(query: RowQuery, reader: CubeReader) -> RowQuery:
    """The page after the first two rows."""
    first = list(reader.ask(Rows(replace(query, limit=2))))
    after = (first[-1].step, first[-1].keys) if first else None
    return replace(query, limit=3, after=after)


@settings(max_examples=EXAMPLES)
@given(case=cases())
def test_engines_return_the_same_answers(sides: tuple[Side, Side], case: Case) -> None:
    found = []
    for side in sides:
        side.take(case.events, is_folded=case.is_folded)
        side.take(case.more, is_folded=False)
        with side.cube.read() as reader:
            assert reader.loaded_seq == side.loaded
            found.append(answers(reader, case))
    ours, theirs = found
    for name in ours:
        assert ours[name] == theirs[name], name


@settings(max_examples=EXAMPLES // 3)
@given(case=cases())
def test_cells_equal_the_sums_of_the_ledger(sides: tuple[Side, Side], case: Case) -> None:
    organization_id = case.query.organization_id
    expected = LedgerSums("salt")
    expected.add(to_row(event, seq, 0) for seq, event in enumerate([*case.events, *case.more], 1))
    for side in sides:
        side.take(case.events, is_folded=case.is_folded)
        side.take(case.more, is_folded=False)
        found = CubeSums(through_seq=side.loaded)
        with side.cube.read() as reader:
            for spec in ROLLUPS:
                sums = [
                    part
                    for part in reader.ask(Fingerprints(spec, "salt", 0, 2**31 - 1))
                    if part.organization_id == organization_id
                ]
                if spec is USAGE:
                    note_usage(found, sums)
                elif spec is LATENCY:
                    note_latency(found, sums, "salt")
                else:
                    note_part(found, spec, sums)
        assert found.days == expected.days

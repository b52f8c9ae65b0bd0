"""Answers are cached as long as nothing in their period changes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.clocks import FixedClock
from tests.factories import NOW, make_event

from outlay.bootstrap.installation import open_installation
from outlay.domain.answers import ZERO, Row
from outlay.domain.comparison_period import Compare, earlier_of
from outlay.domain.dimension import Dimension
from outlay.domain.discovery import NO_MERGES, Merges
from outlay.domain.ids import OrganizationId
from outlay.domain.measure import Rank
from outlay.domain.period import BUCKETS_PER_DAY, Interval, Preset, bucket_at, period_of_dates
from outlay.domain.query import CORE_MEASURES, RowQuery, UsageQuery
from outlay.domain.questions import Groups, Question, Rows, StepTotals
from outlay.kit.clock import to_us
from outlay.kit.ids import new_id
from outlay.services.bundle import Services
from outlay.settings import Settings
from outlay.storage.cube.aggregation import Deltas
from outlay.storage.cube.caching import MAX_ANSWER_ROWS, AnswerCache, CachingReader, Changes
from outlay.storage.cube.duckdb.store import DuckDBReader

TODAY = NOW.date()


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """An installation whose cube is loaded only when a test does so."""
    data: Path = tmp_path_factory.mktemp("caching") / "data"
    with open_installation(Settings(data=data), FixedClock(NOW)) as found:
        yield found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Question[Any]]:
    """The questions that reached the cube."""
    questions: list[Question[Any]] = []
    real = DuckDBReader.ask

    def note(self: DuckDBReader, question: Question[Any]) -> Any:
        questions.append(question)
        return real(self, question)

    monkeypatch.setattr(DuckDBReader, "ask", note)
    return questions


def record(services: Services, organization_id: str, days_ago: int, **facts: Any) -> None:
    """Record one event of a day and load it."""
    at = to_us(NOW - timedelta(days=days_ago)) - 60_000_000
    services.ledger.append([make_event(organization_id=organization_id, event_time_us=at, **facts)])
    services.projection.catch_up()


def question(organization_id: str, days: int, until_days_ago: int = 0) -> UsageQuery:
    """Usage by app over some days."""
    last = TODAY - timedelta(days=until_days_ago)
    return UsageQuery(
        organization_id=OrganizationId(organization_id),
        merges=NO_MERGES,
        period=period_of_dates(last - timedelta(days=days - 1), last, "UTC"),
        interval=Interval.DAY,
        group_by=Dimension.APP,
        ranks=(Rank.REQUESTS,),
    )


def test_equal_questions_reach_the_cube_once(
    services: Services, asked: list[Question[Any]]
) -> None:
    organization_id = new_id("org")
    record(services, organization_id, 2, app="a")
    query = question(organization_id, 7)
    first = services.analytics.breakdown(query)
    before = len(asked)

    assert services.analytics.breakdown(query) == first
    assert len(asked) == before
    services.analytics.breakdown(replace(query, filters={Dimension.APP: ("a",)}))
    assert len(asked) > before


def test_event_in_the_window_invalidates_the_answer(services: Services) -> None:
    organization_id = new_id("org")
    record(services, organization_id, 2, app="a")
    query = question(organization_id, 7)
    assert services.analytics.breakdown(query).total.requests == 1
    record(services, organization_id, 6, app="b")  # late, for the oldest day

    assert services.analytics.breakdown(query).total.requests == 2


def test_events_outside_the_period_and_of_other_organizations_invalidate_nothing(
    services: Services, asked: list[Question[Any]]
) -> None:
    organization_id = new_id("org")
    record(services, organization_id, 5, app="a")
    query = question(organization_id, 3, until_days_ago=4)
    services.analytics.breakdown(query)
    before = len(asked)
    record(services, organization_id, 0, app="a")
    record(services, organization_id, 8, app="a")
    record(services, new_id("org"), 5, app="a")

    assert services.analytics.breakdown(query).total.requests == 1
    assert len(asked) == before


def test_an_older_snapshot_neither_uses_nor_adds_answers(services: Services) -> None:
    organization_id = new_id("org")
    record(services, organization_id, 1, app="a")
    query = question(organization_id, 3)
    analytics = services.analytics
    with analytics.read() as old:
        assert old.ask(StepTotals(query))[1].requests == 1
        # Loaded by the loader's own connection while this snapshot is open.
        record(services, organization_id, 1, app="b")
        assert old.ask(StepTotals(query))[1].requests == 1
        assert old.ask(StepTotals(replace(query, interval=Interval.TOTAL)))[0].requests == 1

    with analytics.read() as new:
        assert new.ask(StepTotals(query))[1].requests == 2
        assert new.ask(StepTotals(replace(query, interval=Interval.TOTAL)))[0].requests == 2


def test_rows_can_be_read_partly_and_again(services: Services) -> None:
    organization_id = new_id("org")
    for name in ("a", "b", "c"):
        record(services, organization_id, 1, app=name)
    wanted = RowQuery(
        organization_id=OrganizationId(organization_id),
        merges=NO_MERGES,
        period=question(organization_id, 3).period,
        group_by=(Dimension.APP,),
    )
    with services.analytics.read() as reader:
        assert next(iter(reader.ask(Rows(wanted)))).keys == ("a",)
        assert [row.keys for row in reader.ask(Rows(wanted))] == [("a",), ("b",), ("c",)]
        assert [row.keys for row in reader.ask(Rows(wanted))] == [("a",), ("b",), ("c",)]


def test_erasure_invalidates_answers(services: Services) -> None:
    organization_id = new_id("org")
    record(services, organization_id, 1, end_user="ada@example.test")
    query = replace(question(organization_id, 3), group_by=Dimension.END_USER)
    assert [entry.key for entry in services.analytics.breakdown(query).entries] == [
        "ada@example.test"
    ]
    services.maintenance.rewrite(
        lambda: services.ledger.forget(
            OrganizationId(organization_id), "ada@example.test", "erased-1"
        )
    )

    assert [entry.key for entry in services.analytics.breakdown(query).entries] == ["erased-1"]


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=30),
    st.integers(0, 39),
    st.integers(1, 20),
)
@settings(max_examples=200)
def test_the_last_change_of_a_period_is_the_last_of_its_days(
    noted: list[tuple[int, int]], first: int, length: int
) -> None:
    changes, seq = Changes(), 0
    expected: dict[int, int] = {}
    base = bucket_at(NOW) // BUCKETS_PER_DAY
    for day, step in noted:
        seq += step
        deltas = Deltas(usage={("org", (base + day) * BUCKETS_PER_DAY + step): (1,)})
        changes.note(deltas, seq)
        expected[day] = seq
    start = date.fromordinal(date(1970, 1, 1).toordinal() + base + first)
    period = period_of_dates(start, start + timedelta(days=length - 1), "UTC")

    wanted = max((expected.get(day, 0) for day in range(first, first + length)), default=0)
    assert changes.last("org", period, seq) == wanted
    assert changes.last("other", period, seq) == 0


def test_the_least_recently_used_answers_are_dropped_first() -> None:
    cache = AnswerCache(max_rows=10)
    cache.add("a", ["A"] * 3)
    cache.add("b", ["B"] * 3)
    assert cache.get("a") == ["A"] * 3
    cache.add("c", ["C"] * 3)

    assert cache.get("b") is None
    assert (cache.get("a"), cache.get("c")) == (["A"] * 3, ["C"] * 3)
    cache.add("huge", range(10_000_000))
    assert cache.get("huge") is None


class Source:
    """A snapshot that gives each question the same answer and counts them."""

    loaded_seq = 7

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked = 0

    def ask(self, question: Question[Any]) -> Any:
        """The answer."""
        self.asked += 1
        return self.answer


def cached(source: Source) -> CachingReader:
    """The snapshot with its own cache."""
    return CachingReader(source, Changes(), AnswerCache(), "edition")


def test_cache_key_is_the_relevant_part_of_the_question() -> None:
    period = period_of_dates(TODAY, TODAY, "UTC")
    query = UsageQuery(
        organization_id=OrganizationId("org"),
        period=period,
        merges=NO_MERGES,
        filters={Dimension.APP: ("a",), Dimension.MODEL: ("m",)},
    )
    source = Source({})
    reader = cached(source)
    for same in (
        query,
        replace(query, filters={Dimension.MODEL: ("m",), Dimension.APP: ("a",)}),
        replace(query, period=replace(period, preset=Preset.THIS_MONTH)),
        replace(query, beside=earlier_of(period, Compare.PREVIOUS)),
    ):
        reader.ask(StepTotals(same))
    assert source.asked == 1
    merges = Merges.of_triples([(Dimension.PROJECT, "old", "new")])
    for other in (
        replace(query, filters={Dimension.APP: ("a",)}),
        replace(query, merges=merges),
        replace(query, measures=CORE_MEASURES),
        replace(query, interval=Interval.DAY),
        replace(query, period=replace(period, timezone="Asia/Kolkata")),
    ):
        reader.ask(StepTotals(other))
    reader.ask(Groups(query))
    assert source.asked == 7


def test_rows_are_cached_only_when_they_are_few() -> None:
    query = UsageQuery(
        organization_id=OrganizationId("org"),
        period=period_of_dates(TODAY, TODAY, "UTC"),
        merges=NO_MERGES,
    )
    row = Row(0, (), ZERO)
    for count, is_cached in ((MAX_ANSWER_ROWS - 1, True), (MAX_ANSWER_ROWS, False)):
        source = Source(iter([row] * count))
        reader = cached(source)
        assert sum(1 for _ in reader.ask(Rows(query.by()))) == count
        source.answer = iter([])
        assert bool(list(reader.ask(Rows(query.by())))) is is_cached

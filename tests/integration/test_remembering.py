"""Answers are given again while nothing in their window has changed, and never longer."""

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

from outlay.bootstrap import open_installation
from outlay.domain.dimension import Dimension
from outlay.domain.measure import Rank
from outlay.domain.period import BUCKETS_PER_DAY, Interval, bucket_at, period_of_dates
from outlay.domain.query import RowQuery, UsageQuery
from outlay.kit.clock import to_us
from outlay.kit.ids import new_id
from outlay.services.bundle import Services
from outlay.settings import Settings
from outlay.storage.cube.aggregation import Deltas
from outlay.storage.cube.caching import Answers, Changes
from outlay.storage.cube.duckdb.store import DuckDBReader

TODAY = NOW.date()


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """An installation whose cube is loaded when a test says so."""
    data: Path = tmp_path_factory.mktemp("remembering") / "data"
    with open_installation(Settings(data=data), FixedClock(NOW)) as found:
        yield found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions that reached the cube."""
    questions: list[str] = []
    for name in ("totals", "breakdown", "rows", "latency_bins", "distinct"):
        real = getattr(DuckDBReader, name)

        def note(self: Any, *given: Any, name: str = name, real: Any = real) -> Any:
            questions.append(name)
            return real(self, *given)

        monkeypatch.setattr(DuckDBReader, name, note)
    return questions


def record(services: Services, organization_id: str, days_ago: int, **facts: Any) -> None:
    """One event of a day, in the cube."""
    at = to_us(NOW - timedelta(days=days_ago)) - 60_000_000
    services.ledger.append([make_event(organization_id=organization_id, event_time_us=at, **facts)])
    services.projection.catch_up()


def question(organization_id: str, days: int, until_days_ago: int = 0) -> UsageQuery:
    """Usage by app over some days."""
    last = TODAY - timedelta(days=until_days_ago)
    return UsageQuery(
        organization_id=organization_id,
        period=period_of_dates(last - timedelta(days=days - 1), last, "UTC"),
        interval=Interval.DAY,
        group_by=Dimension.APP,
        ranks=(Rank.REQUESTS,),
    )


def test_the_same_question_reaches_the_cube_once(services: Services, asked: list[str]) -> None:
    organization_id = new_id("org")
    record(services, organization_id, 2, app="a")
    query = question(organization_id, 7)
    first = services.analytics.breakdown(query)
    before = len(asked)

    assert services.analytics.breakdown(query) == first
    assert len(asked) == before
    services.analytics.breakdown(replace(query, filters={Dimension.APP: ("a",)}))
    assert len(asked) > before


def test_an_event_in_the_window_is_in_the_next_answer(services: Services) -> None:
    organization_id = new_id("org")
    record(services, organization_id, 2, app="a")
    query = question(organization_id, 7)
    assert services.analytics.breakdown(query).total.requests == 1
    record(services, organization_id, 6, app="b")  # late, in the oldest day

    assert services.analytics.breakdown(query).total.requests == 2


def test_events_beside_the_window_and_of_others_leave_answers_be(
    services: Services, asked: list[str]
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


def test_a_snapshot_from_before_neither_takes_nor_leaves_an_answer(services: Services) -> None:
    organization_id = new_id("org")
    record(services, organization_id, 1, app="a")
    query = question(organization_id, 3)
    analytics = services.analytics
    with analytics.read() as old:
        assert old.totals(query)[1].requests == 1
        # Loaded by the loader's own connection while this snapshot is open.
        record(services, organization_id, 1, app="b")
        assert old.totals(query)[1].requests == 1
        assert old.totals(replace(query, interval=Interval.TOTAL))[0].requests == 1

    with analytics.read() as new:
        assert new.totals(query)[1].requests == 2
        assert new.totals(replace(query, interval=Interval.TOTAL))[0].requests == 2


def test_rows_can_be_read_in_part_and_again(services: Services) -> None:
    organization_id = new_id("org")
    for name in ("a", "b", "c"):
        record(services, organization_id, 1, app=name)
    wanted = RowQuery(
        organization_id=organization_id,
        period=question(organization_id, 3).period,
        group_by=(Dimension.APP,),
    )
    with services.analytics.read() as reader:
        assert next(iter(reader.rows(wanted))).keys == ("a",)
        assert [row.keys for row in reader.rows(wanted)] == [("a",), ("b",), ("c",)]
        assert [row.keys for row in reader.rows(wanted)] == [("a",), ("b",), ("c",)]


def test_erasing_somebody_forgets_what_was_answered_about_them(services: Services) -> None:
    organization_id = new_id("org")
    record(services, organization_id, 1, end_user="ada@example.test")
    query = replace(question(organization_id, 3), group_by=Dimension.END_USER)
    assert [entry.key for entry in services.analytics.breakdown(query).entries] == [
        "ada@example.test"
    ]
    services.maintenance.rewrite(
        lambda: services.ledger.forget(organization_id, "ada@example.test", "erased-1")
    )

    assert [entry.key for entry in services.analytics.breakdown(query).entries] == ["erased-1"]


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=30),
    st.integers(0, 39),
    st.integers(1, 20),
)
@settings(max_examples=200)
def test_the_last_change_of_a_period_is_that_of_its_days(
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


def test_the_least_recently_wanted_answers_go_first() -> None:
    answers = Answers(max_rows=10)
    answers.keep("a", "A", 3)
    answers.keep("b", "B", 3)
    assert answers.find("a") == ("A",)
    answers.keep("c", "C", 3)

    assert answers.find("b") is None
    assert (answers.find("a"), answers.find("c")) == (("A",), ("C",))
    answers.keep("huge", "H", 10_000_000)
    assert answers.find("huge") is None

"""Pages of the request log: in every order each request is on one of them, in both directions."""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.factories import make_event

from outlay.domain.answers import ZERO, Breakdown, Totals
from outlay.domain.dimension import Dimension
from outlay.domain.discovery import NO_MERGES
from outlay.domain.event import UsageEvent
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.period import BUCKET_US, Interval, Period, steps_of
from outlay.domain.query import UsageQuery
from outlay.domain.questions import Buckets
from outlay.services.analytics import log_windows, request_log
from outlay.services.analytics.log_windows import cut_spans
from outlay.services.analytics.request_log import LogCursor, LogPlan, LogQuery, RequestLog, TooWide
from outlay.storage.ledger.log import (
    LEAST_VALUE,
    MOST_VALUE,
    LogConditions,
    LogFilter,
    LoggedEvent,
    LogOrder,
    LogPosition,
    LogSort,
)

FIRST = 2_000_000
BUCKETS = 40
PERIOD = Period(start_bucket=FIRST, end_bucket=FIRST + BUCKETS, timezone="UTC")
APPS = ("a", "b")


class Cube:
    """A snapshot of a cube with some events."""

    def __init__(self, events: list[UsageEvent]) -> None:
        self.events = events

    @property
    def loaded_seq(self) -> int:
        return len(self.events)

    def ask(self, question: Buckets) -> list[tuple[int, int]]:
        found: dict[int, int] = {}
        wanted = [value for values in question.query.filters.values() for value in values]
        for event in self.events:
            if not wanted or event.app in wanted:
                bucket = event.event_time_us // BUCKET_US
                found[bucket] = found.get(bucket, 0) + 1
        return sorted(found.items(), reverse=True)


class Analytics:
    """The part of the service that the log uses."""

    def breakdown_in(self, _: object, query: UsageQuery) -> Breakdown:
        steps = steps_of(query.period, query.interval)
        return Breakdown(group_by=None, steps=steps, total=ZERO, by_step={}, entries=())


class Ledger:
    """Events in memory; their position is their sequence number."""

    def __init__(self, events: list[UsageEvent]) -> None:
        self.events = events
        self.reads = 0

    def _matching(self, wanted: LogFilter) -> list[tuple[int, UsageEvent]]:
        self.reads += 1
        apps = [value for values in wanted.values.values() for value in values]
        least = wanted.conditions.min_duration_us
        return [
            (seq, event)
            for seq, event in enumerate(self.events, 1)
            if wanted.start_us <= event.event_time_us < wanted.end_us
            and seq <= wanted.through_seq
            and (not apps or event.app in apps)
            and (least is None or (event.duration_us is not None and event.duration_us >= least))
        ]

    def read_positions(
        self, wanted: LogFilter, order: LogOrder, after: LogPosition | None, limit: int
    ) -> list[LogPosition]:
        missing = LEAST_VALUE if order.is_descending else MOST_VALUE
        places = sorted(
            (
                LogPosition(_value(order.sort, event, missing), event.event_time_us, seq)
                for seq, event in self._matching(wanted)
            ),
            reverse=order.falls,
        )
        if after is None:
            return places[:limit]
        keys = [_signed(place, order) for place in places]
        return places[bisect_right(keys, _signed(after, order)) :][:limit]

    def read_sums(self, wanted: LogFilter) -> Totals:
        found = self._matching(wanted)
        return ZERO._replace(
            requests=len(found), cost_pusd=sum(event.cost_pusd for _, event in found)
        )

    def read_logged(self, _: str, positions: list[LogPosition]) -> list[LoggedEvent]:
        return [LoggedEvent(self.events[place.seq - 1], place.seq, 0) for place in positions]


def _value(sort: LogSort, event: UsageEvent, missing: int) -> int:
    match sort:
        case LogSort.TIME:
            return event.event_time_us
        case LogSort.COST:
            return event.cost_pusd
        case LogSort.TOKENS:
            return event.input_tokens
        case LogSort.LATENCY:
            return missing if event.duration_us is None else event.duration_us
        case LogSort.DIFFERENCE:
            if not event.is_compared:
                return missing
            return abs((event.reported_cost_pusd or 0) - (event.computed_cost_pusd or 0))


def _signed(place: LogPosition, order: LogOrder) -> tuple[int, ...]:
    return tuple(-part if order.falls else part for part in place)


@st.composite
def events(draw: st.DrawFn) -> list[UsageEvent]:
    """Requests with few different times and values, so that many are equal."""
    facts = st.tuples(
        st.integers(0, BUCKETS - 1),
        st.integers(0, 2),
        st.sampled_from([None, 0, 5, 9]),
        st.integers(0, 2),
        st.sampled_from(APPS),
    )
    return [
        make_event(
            event_id=f"e{number}",
            event_time_us=(FIRST + bucket) * BUCKET_US + second,
            duration_us=duration,
            cost_pusd=cost,
            input_tokens=cost,
            app=app,
        )
        for number, (bucket, second, duration, cost, app) in enumerate(
            draw(st.lists(facts, max_size=60))
        )
    ]


QUERIES: Mapping[str, Callable[[UsageQuery], LogQuery]] = {
    "all": lambda usage: LogQuery(usage=usage),
    "app": lambda usage: LogQuery(usage=replace(usage, filters={Dimension.APP: ("a",)})),
    "slow": lambda usage: LogQuery(usage=usage, conditions=LogConditions(min_duration_us=5)),
    "slow app": lambda usage: LogQuery(
        usage=replace(usage, filters={Dimension.APP: ("a",)}),
        conditions=LogConditions(min_duration_us=5),
    ),
}


def is_wanted(name: str, event: UsageEvent) -> bool:
    return ("app" not in name or event.app == "a") and (
        "slow" not in name or (event.duration_us or 0) >= 5
    )


def log_of(events: list[UsageEvent]) -> tuple[RequestLog, Ledger, Cube]:
    ledger = Ledger(events)
    return RequestLog(cast(Any, Analytics()), cast(Any, ledger)), ledger, Cube(events)


def plan_of(log: RequestLog, cube: Cube, query: LogQuery) -> LogPlan:
    return log.plan(cast(Any, cube), query)


def usage(interval: Interval = Interval.HOUR) -> UsageQuery:
    return UsageQuery(
        organization_id=OrganizationId("org_test"),
        merges=NO_MERGES,
        period=PERIOD,
        interval=interval,
    )


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts so small that a few events span many."""
    monkeypatch.setattr(log_windows, "PART_ROWS", 4)
    monkeypatch.setattr(log_windows, "GAP_ROWS", 1)
    monkeypatch.setattr(request_log, "PART_ROWS", 4)
    monkeypatch.setattr(request_log, "MAX_RUNS", 3)


@settings(max_examples=150, deadline=None)
@given(
    made=events(),
    name=st.sampled_from(sorted(QUERIES)),
    sort=st.sampled_from(LogSort),
    is_descending=st.booleans(),
    limit=st.integers(1, 9),
)
def test_paging_in_any_order_gives_each_request_once(
    made: list[UsageEvent], name: str, sort: LogSort, is_descending: bool, limit: int
) -> None:
    log, ledger, cube = log_of(made)
    order = LogOrder(sort, is_descending)
    query = replace(QUERIES[name](usage()), order=order)
    expected = [
        seq
        for _, _, seq in sorted(
            (
                LogPosition(
                    _value(sort, event, LEAST_VALUE if is_descending else MOST_VALUE),
                    event.event_time_us,
                    seq,
                )
                for seq, event in enumerate(made, 1)
                if is_wanted(name, event)
            ),
            reverse=is_descending,
        )
    ]

    forward: list[int] = []
    page = log.page(plan_of(log, cube, query), limit)
    assert page.preceding is None
    forward += [entry.seq for entry in page.entries]
    # Events recorded meanwhile are on none of the pages.
    late = [replace(event, event_id=EventId(f"late {event.event_id}")) for event in made]
    later, cube = [*made, *late], Cube([*made, *late])
    ledger.events = later
    last = page
    while last.following is not None:
        last = log.page(plan_of(log, cube, replace(query, cursor=last.following)), limit)
        forward += [entry.seq for entry in last.entries]
    backward: list[int] = [entry.seq for entry in last.entries]
    while last.preceding is not None:
        last = log.page(plan_of(log, cube, replace(query, cursor=last.preceding)), limit)
        backward = [entry.seq for entry in last.entries] + backward

    assert forward == expected
    assert backward == expected


@settings(max_examples=60, deadline=None)
@given(made=events(), name=st.sampled_from(["slow", "slow app"]))
def test_totals_and_steps_equal_the_listed_requests(made: list[UsageEvent], name: str) -> None:
    log, _, cube = log_of(made)
    plan = plan_of(log, cube, QUERIES[name](usage()))
    wanted = [event for event in made if is_wanted(name, event)]

    found = log.volume(plan)

    assert found.total.requests == len(wanted)
    assert found.total.cost_pusd == sum(event.cost_pusd for event in wanted)
    for index, step in enumerate(found.steps):
        inside = [
            event
            for event in wanted
            if step.start_bucket <= event.event_time_us // BUCKET_US < step.end_bucket
        ]
        assert found.at(index).requests == len(inside)


@settings(max_examples=60, deadline=None)
@given(made=events(), name=st.sampled_from(sorted(QUERIES)), limit=st.integers(1, 70))
def test_file_has_all_requests_in_any_number_of_parts(
    made: list[UsageEvent], name: str, limit: int
) -> None:
    log, _, cube = log_of(made)
    plan = plan_of(log, cube, QUERIES[name](usage()))
    wanted = [event for event in made if is_wanted(name, event)]

    found, following = log.all_positions(plan, limit)

    assert len(found) == min(limit, len(wanted))
    assert (following is None) or len(found) == limit


def test_query_of_too_many_requests_is_refused_before_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = [make_event(event_time_us=FIRST * BUCKET_US) for _ in range(5)]
    log, ledger, cube = log_of(made)
    monkeypatch.setattr(request_log, "MAX_ROWS", 4)
    slow = plan_of(log, cube, QUERIES["slow"](usage()))
    dear = plan_of(log, cube, LogQuery(usage=usage(), order=LogOrder(LogSort.COST)))

    for ask in (lambda: log.volume(slow), lambda: log.page(dear)):
        with pytest.raises(TooWide, match=r"5 requests.*choose a shorter period"):
            ask()
    assert ledger.reads == 0
    assert log.page(plan_of(log, cube, LogQuery(usage=usage()))).entries


def test_slow_disk_aborts_the_query() -> None:
    made = [make_event(event_time_us=(FIRST + number) * BUCKET_US) for number in range(20)]
    times = iter(range(0, 1000, 10))
    log = RequestLog(
        cast(Any, Analytics()), cast(Any, Ledger(made)), monotonic=lambda: float(next(times))
    )

    with pytest.raises(TooWide, match="takes too long"):
        log.volume(plan_of(log, Cube(made), QUERIES["slow"](usage())))


def test_cursor_of_another_order_is_refused() -> None:
    cursor = LogCursor(LogSort.COST, True, False, 5, 5, 5, 5)

    with pytest.raises(Exception, match="a different sort or order"):
        LogQuery(usage=usage(), cursor=cursor)


def test_parts_end_at_steps_and_skip_gaps() -> None:
    sizes = dict.fromkeys(range(FIRST + BUCKETS - 1, FIRST - 1, -1), 1)
    edges = [FIRST, FIRST + 10]
    matching = [FIRST + 30, FIRST + 12, FIRST + 9, FIRST + 8, FIRST + 5]

    spans = cut_spans(PERIOD, matching, sizes, edges)

    assert [(span.start - FIRST, span.end - FIRST) for span in spans] == [
        (30, 31),
        (12, 13),
        (8, 10),
        (5, 6),
    ]

"""Events become cells: each in its 15-minute bucket, and in numbers that columns can hold."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.factories import make_event

from outlay.domain.event import UsageEvent
from outlay.domain.latency import latency_bin
from outlay.domain.period import BUCKET_US, BUCKETS_PER_DAY, bucket_start
from outlay.storage.cube.aggregation import Deltas, aggregate, split_cell
from outlay.storage.cube.duckdb.store import month_buckets
from outlay.storage.cube.rollups import DIMENSIONS, MAX_MEASURE
from outlay.storage.ledger.rows import EventRow, to_row

BUCKET = 2_000_000
BUCKET_AT = DIMENSIONS.index("bucket")


def rows_of(*events: UsageEvent) -> list[EventRow]:
    return [to_row(event, seq, 0) for seq, event in enumerate(events, 1)]


@pytest.mark.parametrize(
    ("offset_us", "bucket"),
    [(-1, BUCKET - 1), (0, BUCKET), (BUCKET_US - 1, BUCKET), (BUCKET_US, BUCKET + 1)],
)
def test_event_is_in_its_15_minute_bucket(offset_us: int, bucket: int) -> None:
    event = make_event(event_time_us=BUCKET * BUCKET_US + offset_us)
    (key,) = aggregate(rows_of(event), Deltas()).usage

    assert key[BUCKET_AT] == bucket


def test_events_of_one_cell_are_summed() -> None:
    time_us = BUCKET * BUCKET_US
    events = [
        make_event(event_time_us=time_us, input_tokens=5, cost_pusd=7, duration_us=2_000),
        make_event(event_time_us=time_us + 1, input_tokens=6, cost_pusd=8, duration_us=2_000),
        make_event(event_time_us=time_us, input_tokens=9, app="other", groups="grp_a"),
    ]
    deltas = aggregate(rows_of(*events[:2]), Deltas())
    aggregate(rows_of(events[2]), deltas)

    assert sorted(values[:2] for values in deltas.usage.values()) == [(1, 9), (2, 11)]
    ((binned, count),) = deltas.latency.items()
    assert (binned[-1], count) == (latency_bin(2_000), 2)
    assert deltas.group_sets == {"grp_a"}


@given(st.lists(st.integers(0, 5 * MAX_MEASURE), min_size=1, max_size=4).map(tuple))
def test_cell_beyond_64_bits_is_split_into_rows(measures: tuple[int, ...]) -> None:
    rows = split_cell(measures)

    assert all(0 <= value <= MAX_MEASURE for row in rows for value in row)
    assert tuple(map(sum, zip(*rows, strict=True))) == measures
    assert (len(rows) == 1) == (max(measures) <= MAX_MEASURE)


@pytest.mark.parametrize("month", range(1, 13))
def test_month_ends_where_the_next_begins(month: int) -> None:
    start, end = month_buckets(date(2027, month, 1))

    assert bucket_start(start).date() == date(2027, month, 1)
    following = date(2027 + month // 12, month % 12 + 1, 1)
    assert bucket_start(end).date() == following
    assert end - start == (following - date(2027, month, 1)).days * BUCKETS_PER_DAY

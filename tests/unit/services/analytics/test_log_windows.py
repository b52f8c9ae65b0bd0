"""A window of the log, in parts that are read one after the other."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from outlay.domain.period import Period, Step
from outlay.services.analytics.log_windows import GAP_ROWS, PART_ROWS, Span, cut_spans, step_at

PERIOD = Period(start_bucket=100, end_bucket=200, timezone="UTC")


def test_period_is_one_part_without_known_buckets() -> None:
    assert cut_spans(PERIOD, None, None, []) == [Span(100, 200, 0)]


def test_adjacent_buckets_are_one_part_unless_separated_by_an_edge() -> None:
    matching = [150, 149, 148, 120]

    assert cut_spans(PERIOD, matching, None, []) == [Span(148, 151, 0), Span(120, 121, 0)]
    assert cut_spans(PERIOD, matching, None, [149]) == [
        Span(149, 151, 0),
        Span(148, 149, 0),
        Span(120, 121, 0),
    ]


@given(
    st.dictionaries(st.integers(100, 199), st.integers(1, 2 * PART_ROWS), min_size=1),
    st.sets(st.integers(101, 199)),
)
def test_parts_hold_every_bucket_once_within_bounds(sizes: dict[int, int], edges: set[int]) -> None:
    newest_first = dict(sorted(sizes.items(), reverse=True))
    spans = cut_spans(PERIOD, None, newest_first, sorted(edges))

    for earlier, later in zip(spans[1:], spans, strict=False):
        assert earlier.end <= later.start
    for bucket, rows in sizes.items():
        assert sum(span.start <= bucket < span.end for span in spans) == 1, (bucket, rows)
    for span in spans:
        assert span.rows == sum(sizes.get(b, 0) for b in range(span.start, span.end))
        assert span.rows <= PART_ROWS or span.end - span.start == 1
        assert not any(span.start < edge < span.end for edge in edges)


def test_small_gaps_are_read_along() -> None:
    near = cut_spans(PERIOD, [150, 148], {150: 1, 149: GAP_ROWS, 148: 1}, [])
    far = cut_spans(PERIOD, [150, 148], {150: 1, 149: GAP_ROWS + 1, 148: 1}, [])

    assert near == [Span(148, 151, GAP_ROWS + 2)]
    assert far == [Span(150, 151, 1), Span(148, 149, 1)]


def test_part_is_within_one_step() -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    steps = [
        Step(start_bucket=100, end_bucket=150, label="a", start=start),
        Step(start_bucket=150, end_bucket=200, label="b", start=start),
    ]

    assert [step_at(steps, Span(at, at + 1, 0)) for at in (100, 149, 150, 199)] == [0, 0, 1, 1]

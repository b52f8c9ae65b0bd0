"""Percentiles from merged bins are within one percent."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from outlay.domain.latency import MAX_DURATION_US, latency_bin, quantile_us

durations = st.integers(1, MAX_DURATION_US)


@given(st.lists(durations, min_size=1, max_size=300), st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]))
def test_quantile_is_within_one_percent(values: list[int], q: float) -> None:
    bins = Counter(latency_bin(value) for value in values)
    rank = max(1, -(-round(q * 1_000_000) * len(values) // 1_000_000))

    exact = sorted(values)[rank - 1]

    found = quantile_us(bins, q)
    assert found is not None
    assert abs(found - exact) <= exact * 0.01 + 1e-6


@given(durations, durations)
def test_bins_preserve_the_order_of_durations(left: int, right: int) -> None:
    assert (latency_bin(left) <= latency_bin(right)) == (left <= right) or latency_bin(
        left
    ) == latency_bin(right)


def test_empty_histogram_has_no_quantile() -> None:
    assert quantile_us({}, 0.5) is None


def test_every_duration_has_a_bin_that_fits_its_column() -> None:
    assert latency_bin(0) == 0
    assert 1000 < latency_bin(MAX_DURATION_US) < 2**15

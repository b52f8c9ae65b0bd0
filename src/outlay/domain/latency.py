"""A mergeable latency histogram with a known error bound.

Durations fall into logarithmic bins as in DDSketch (Masson, Rim, Lee: "DDSketch: a fast and
fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019): bin i holds durations
in (γ^(i-1), γ^i] microseconds with γ = (1+α)/(1-α). A quantile read from merged bins is within α of
the true value at that rank. Bin edges are integers that are computed once, so every machine puts a
duration into the same bin.
"""

from bisect import bisect_left
from collections.abc import Mapping
from fractions import Fraction
from typing import Final

RELATIVE_ERROR: Final = Fraction(1, 100)
"""α: a reported percentile is within 1 % of the exact one."""

MAX_DURATION_US: Final = 24 * 3600 * 1_000_000
"""A duration of more than a day is a timer error."""

_GAMMA: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)


def _edges() -> list[int]:
    """Upper edges of the bins in microseconds, strictly increasing; the last is above
    MAX_DURATION_US."""
    edges = [0, 1]
    exact = 1.0
    while edges[-1] < MAX_DURATION_US:
        exact *= float(_GAMMA)
        edges.append(max(edges[-1] + 1, int(exact)))
    return edges


_UPPER: Final = _edges()


def latency_bin(duration_us: int) -> int:
    """The bin of a duration of 0..MAX_DURATION_US microseconds."""
    return bisect_left(_UPPER, duration_us)


def bin_value_us(index: int) -> float:
    """The representative duration of a bin, within α of all durations in it."""
    if index == 0:
        return 0.0
    low, high = _UPPER[index - 1] + 1, _UPPER[index]
    return 2 * low * high / (low + high)


def quantile_us(bins: Mapping[int, int], q: float) -> float | None:
    """The `q`-quantile (0..1) of `{bin: requests}` in microseconds; None without requests.

    The rank follows the nearest-rank definition: the smallest value with at least q·n values at or
    below it.
    """
    total = sum(bins.values())
    if not total:
        return None
    rank = max(1, -(-round(q * 1_000_000) * total // 1_000_000))
    seen = 0
    for index in sorted(bins):
        seen += bins[index]
        if seen >= rank:
            return bin_value_us(index)
    raise AssertionError("ranks never exceed the total")

"""Token counts include each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.domain.errors import Invalid
from outlay.domain.usage import MAX_TOKENS, TokenUsage, check_tokens, settle_tokens

counts = st.integers(0, 1000)
usages = st.builds(TokenUsage, counts, counts, counts, counts, counts, counts)


@given(usages)
def test_settled_parts_never_exceed_their_whole(usage: TokenUsage) -> None:
    settled, _ = settle_tokens(usage)

    parts = settled.cache_read_input_tokens + settled.cache_write_input_tokens
    assert parts <= settled.input_tokens == usage.input_tokens
    assert settled.cache_write_1h_input_tokens <= settled.cache_write_input_tokens
    assert settled.reasoning_output_tokens <= settled.output_tokens == usage.output_tokens


@given(usages)
def test_settling_is_flagged_exactly_when_it_changes_something(usage: TokenUsage) -> None:
    settled, is_adjusted = settle_tokens(usage)

    assert is_adjusted == (settled != usage)
    assert settle_tokens(settled) == (settled, False)


def test_more_cached_than_input_tokens_are_clamped() -> None:
    settled, is_adjusted = settle_tokens(TokenUsage(100, 10, 150, 30))

    assert settled == TokenUsage(100, 10, 100, 0)
    assert is_adjusted


@pytest.mark.parametrize(
    "count", [-1, MAX_TOKENS + 1, 2**63, 1.0, 1.5, float("nan"), float("inf"), True, "7", None]
)
def test_invalid_counts_are_refused_by_name(count: object) -> None:
    with pytest.raises(Invalid, match="output_tokens") as caught:
        check_tokens(TokenUsage(1, count))  # type: ignore[arg-type]  # that is the point

    assert caught.value.field == "output_tokens"

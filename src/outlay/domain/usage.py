"""Token counts and which of them include which.

    input_tokens ⊇ cache_read_input_tokens + cache_write_input_tokens
                                             cache_write_input_tokens ⊇ cache_write_1h_input_tokens
    output_tokens ⊇ reasoning_output_tokens
    total = input_tokens + output_tokens

The names are OpenTelemetry's (gen_ai.usage.*); counters of providers that exclude the cache from
the input are normalised before they get here.
"""

from typing import Final, NamedTuple, Protocol

from outlay.domain.errors import Invalid

MAX_TOKENS: Final = 10**9
"""More tokens than this in one request are a counter error, not usage."""


class TokenUsage(NamedTuple):
    """The token counts of one request; every count is 0..MAX_TOKENS."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_write_input_tokens: int = 0
    cache_write_1h_input_tokens: int = 0
    """The part of the cache writes kept for an hour, which some providers price higher."""
    reasoning_output_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Input plus output; the other counts are parts of these."""
        return self.input_tokens + self.output_tokens


class CountsTokens(Protocol):
    """A record with a field for each count."""

    @property
    def input_tokens(self) -> int: ...
    @property
    def output_tokens(self) -> int: ...
    @property
    def cache_read_input_tokens(self) -> int: ...
    @property
    def cache_write_input_tokens(self) -> int: ...
    @property
    def cache_write_1h_input_tokens(self) -> int: ...
    @property
    def reasoning_output_tokens(self) -> int: ...


def tokens_of(record: CountsTokens) -> TokenUsage:
    """The token counts of a record."""
    return TokenUsage(
        record.input_tokens,
        record.output_tokens,
        record.cache_read_input_tokens,
        record.cache_write_input_tokens,
        record.cache_write_1h_input_tokens,
        record.reasoning_output_tokens,
    )


def check_tokens(usage: TokenUsage) -> TokenUsage:
    """`usage` itself; raises Invalid naming the first count that is not an integer in range."""
    for name, count in zip(TokenUsage._fields, usage, strict=True):
        if type(count) is not int:
            raise Invalid(f"{name!r} must be a whole number, not {count!r}.", field=name)
        if not 0 <= count <= MAX_TOKENS:
            raise Invalid(
                f"{name!r} must be between 0 and {MAX_TOKENS:,}, not {count:,}.", field=name
            )
    return usage


def settle_tokens(usage: TokenUsage) -> tuple[TokenUsage, bool]:
    """Resolve contradictions by clamping parts to their whole; also returns whether there were any.

    A report with more cached than input tokens cannot be priced. The whole is trusted and the parts
    are reduced: cache reads take their share of the input first, then cache writes.
    """
    read = min(usage.cache_read_input_tokens, usage.input_tokens)
    write = min(usage.cache_write_input_tokens, usage.input_tokens - read)
    write_1h = min(usage.cache_write_1h_input_tokens, write)
    reasoning = min(usage.reasoning_output_tokens, usage.output_tokens)
    settled = TokenUsage(usage.input_tokens, usage.output_tokens, read, write, write_1h, reasoning)
    return settled, settled != usage

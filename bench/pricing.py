"""Pricing one event, warm, compared with genai-prices' own calculation."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from genai_prices import Usage, calc_price

from outlay.domain.usage import TokenUsage
from outlay.kit.clock import to_us
from outlay.pricing.book import PriceBook

CALLS: Final = 100_000
ROUNDS: Final = 5
AT: Final = datetime(2026, 11, 20, tzinfo=UTC)


def run() -> list[str]:
    """The figures, as lines of Markdown."""
    ours, metered, theirs = measure()
    return [
        f"Pricing an event: {ours / 1000:.1f} µs warm for text, {metered / 1000:.1f} µs with a "
        f"meter, {theirs / ours:.0f} times faster than the calculation of genai-prices itself."
    ]


def measure() -> tuple[float, float, float]:
    """Nanoseconds of CPU per call: text alone, with a meter, and `genai_prices.calc_price`."""
    book = PriceBook()
    ours = partial(
        book.price,
        provider="openai",
        mapping="openai/gpt-5.5",
        at_us=to_us(AT),
        usage=TokenUsage(12_000, 800, 6_000, 0, 0, 200),
    )
    metered = partial(ours, meters={"web_searches": 3})
    theirs = partial(
        calc_price,
        Usage(input_tokens=12_000, output_tokens=800, cache_read_tokens=6_000),
        "gpt-5.5",
        provider_id="openai",
        genai_request_timestamp=AT,
    )
    return (
        _nanoseconds(ours, CALLS),
        _nanoseconds(metered, CALLS),
        _nanoseconds(theirs, CALLS // 50),
    )


def _nanoseconds(call: Callable[[], object], calls: int) -> float:
    """Per call, the best of a few rounds, which is the least disturbed."""
    call()
    rounds = []
    for _ in range(ROUNDS):
        begin = time.process_time_ns()
        for _ in range(calls):
            call()
        rounds.append((time.process_time_ns() - begin) / calls)
    return min(rounds)


if __name__ == "__main__":
    ours, metered, theirs = measure()
    print(f"PriceBook.price            {ours:10,.0f} ns")
    print(f"PriceBook.price, a meter   {metered:10,.0f} ns")
    print(f"genai_prices.calc_price    {theirs:10,.0f} ns, {theirs / ours:.0f} times as long")

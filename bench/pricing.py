"""Pricing one event, warm, beside genai-prices' own calculation."""

import time
from datetime import UTC, datetime
from typing import Final

from genai_prices import Usage, calc_price

from outlay.domain.usage import TokenUsage
from outlay.kit.clock import to_us
from outlay.pricing.book import PriceBook

CALLS: Final = 100_000


def run() -> list[str]:
    """The figures, as lines of Markdown."""
    book, usage = PriceBook(), TokenUsage(12_000, 800, 6_000, 0, 0, 200)
    at = datetime(2026, 11, 20, tzinfo=UTC)
    at_us = to_us(at)
    book.price(provider="openai", mapping="openai/gpt-5.5", at_us=at_us, usage=usage)
    begin = time.perf_counter()
    for _ in range(CALLS):
        book.price(provider="openai", mapping="openai/gpt-5.5", at_us=at_us, usage=usage)
    ours = (time.perf_counter() - begin) / CALLS
    listed = Usage(input_tokens=12_000, output_tokens=800, cache_read_tokens=6_000)
    begin = time.perf_counter()
    for _ in range(CALLS // 50):
        calc_price(listed, "gpt-5.5", provider_id="openai", genai_request_timestamp=at)
    theirs = (time.perf_counter() - begin) / (CALLS // 50)
    return [
        f"Pricing an event: {ours * 1e6:.1f} µs warm, {theirs / ours:.0f} times faster than "
        "the calculation of genai-prices itself."
    ]

"""Langfuse's usage details: an object with one count per kind of token, each apart.

Source: Langfuse's documentation of `usageDetails`: keys that contain `input` or `output` add up to
the one or the other; `input_cached_tokens`, `cache_read_input_tokens`,
`cache_creation_input_tokens` and `output_reasoning_tokens` are kinds of their own.
"""

from collections.abc import Mapping
from typing import Any

from outlay.domain.usage import TokenUsage
from outlay.wire.answer import count_of
from outlay.wire.counters import read_counters


def usage_of_details(details: Mapping[str, Any]) -> TokenUsage | None:
    """The counts of usage details, None when there are none."""
    if any(isinstance(value, dict) for value in details.values()):
        return read_counters(details).usage  # as OpenAI's SDK has it, with its details
    counts = {name: count for name, value in details.items() if (count := count_of(value))}
    # Cache writes by age repeat what stands in the count of all cache writes.
    by_age = {name: counts.pop(name) for name in list(counts) if "ephemeral" in name}
    incoming = {name: count for name, count in counts.items() if "input" in name}
    outgoing = {name: count for name, count in counts.items() if "output" in name}
    if not incoming and not outgoing:
        return read_counters(details).usage  # in OpenAI's words
    cached = {name: count for name, count in incoming.items() if "cache" in name}
    written = sum(count for name, count in cached.items() if "creation" in name or "write" in name)
    return TokenUsage(
        sum(incoming.values()),
        sum(outgoing.values()),
        sum(cached.values()) - written,
        written,
        sum(count for name, count in by_age.items() if "1h" in name),
        sum(count for name, count in outgoing.items() if "reasoning" in name),
    )

"""Langfuse's usage details: an object with one separate count per kind of token.

Source: Langfuse's documentation of `usageDetails`: keys that contain `input` or `output` add up to
the input or output; `input_cached_tokens`, `cache_read_input_tokens`, `cache_creation_input_tokens`
and `output_reasoning_tokens` are kinds of their own.
"""

from collections.abc import Mapping
from typing import Any, Final

from outlay.domain.meter import METERS
from outlay.domain.usage import TokenUsage
from outlay.wire.answer import count_of
from outlay.wire.counters import MAX_NAMED, Counted, read_counters

_TOTAL: Final = "total"


def count_details(details: Mapping[str, Any]) -> Counted:
    """The counts of usage details; without tokens if there are none.

    What the total has beyond input and output was generated: some senders report thoughts only
    there. A kind that is neither input nor output is unread.
    """
    if any(isinstance(value, dict) for value in details.values()):
        return read_counters(details)  # OpenAI's SDK nests its details
    counts = {name: count for name, value in details.items() if (count := count_of(value))}
    # Cache writes by age repeat the count of all cache writes.
    by_age = {name: counts.pop(name) for name in list(counts) if "ephemeral" in name}
    incoming = {name: count for name, count in counts.items() if "input" in name}
    outgoing = {name: count for name, count in counts.items() if "output" in name}
    if not incoming and not outgoing:
        return read_counters(details)  # OpenAI's names
    cached = {name: count for name, count in incoming.items() if "cache" in name}
    written = sum(count for name, count in cached.items() if "creation" in name or "write" in name)
    reasoning = sum(count for name, count in outgoing.items() if "reasoning" in name)
    others = counts.keys() - incoming.keys() - outgoing.keys() - {_TOTAL}
    known = sum(incoming.values()) + sum(outgoing.values())
    thoughts = 0 if others else max(0, counts.get(_TOTAL, 0) - known)
    usage = TokenUsage(
        sum(incoming.values()),
        sum(outgoing.values()) + thoughts,
        sum(cached.values()) - written,
        written,
        sum(count for name, count in by_age.items() if "1h" in name),
        reasoning + thoughts,
    )
    meters = {meter: count for meter in METERS if (count := counts.get(meter))}
    return Counted(usage, meters, tuple(sorted(others - METERS.keys())[:MAX_NAMED]))

"""Deduplication by answer: when two reports describe the same provider answer, and which one
counts.

A request that passes through the gateway may also be traced, exported by the client and contained
in an imported file. Each of these reports carries the provider's id of the answer, and the answer
counts once.
"""

from typing import Final

from outlay.domain.event import UsageEvent, UsageSource

GATEWAY: Final = "gateway"
"""The source of relayed requests. Two gateway events are two requests even if their answer ids are
equal: some upstreams give all their answers the same id.
"""

APART_US: Final = 35 * 24 * 3_600_000_000
"""Maximum distance between the times of two reports of one answer: senders report when the request
began, when the answer arrived, or only the month."""

MAX_REPORTS: Final = 200
"""Maximum number of rows per answer id. An id with more, as from a server with a constant id, does
not identify an answer, and comparing all of its rows would cost more with each request."""

STRONG_LENGTH: Final = 20
"""Shorter ids are not treated as unique: some local servers simply count."""

HOSTED: Final = frozenset(
    {
        "anthropic",
        "aws",
        "azure",
        "cohere",
        "deepseek",
        "fireworks",
        "google",
        "groq",
        "mistral",
        "moonshotai",
        "openai",
        "openrouter",
        "perplexity",
        "together",
        "x-ai",
    }
)
"""Hosted providers: even their short ids are rarely repeated."""

_HOUR_US: Final = 3_600_000_000


def is_same_answer(one: UsageEvent, other: UsageEvent) -> bool:
    """Whether two events report the same answer. One of them may be the gateway's."""
    if (one.provider, one.response_id) != (other.provider, other.response_id):
        return False
    if one.source == other.source == GATEWAY:
        return False
    apart_us = abs(one.event_time_us - other.event_time_us)
    if len(one.response_id) >= STRONG_LENGTH:
        return apart_us <= APART_US
    if one.model != other.model or one.source == other.source:
        return False
    if UsageSource.UNKNOWN in {one.usage_source, other.usage_source}:
        return apart_us <= _HOUR_US
    most_us = 48 * _HOUR_US if one.provider in HOSTED else _HOUR_US
    return apart_us <= most_us and _tokens_of(one) == _tokens_of(other)


def outranks(new: UsageEvent, counted: UsageEvent) -> bool:
    """Whether a report counts instead of one that was recorded before it.

    Known usage wins over unknown usage, then the gateway's record over others, then the earlier
    report.
    """
    return _rank(new) > _rank(counted)


def _rank(event: UsageEvent) -> tuple[bool, bool]:
    return event.usage_source is not UsageSource.UNKNOWN, event.source == GATEWAY


def _tokens_of(event: UsageEvent) -> tuple[int, int]:
    return event.input_tokens, event.output_tokens

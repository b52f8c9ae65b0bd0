"""When two reports are of the same answer of a provider, and which of them counts.

A request that passes through the gateway may be traced, exported by the client and be in a file
that is imported: each report has the provider's id of the answer. It counts once.
"""

from typing import Final

from outlay.domain.event import UsageEvent, UsageSource

GATEWAY: Final = "gateway"
"""The source of what was relayed here. Two of them are two requests, whatever ids say: some
upstreams give all their answers the same one."""

APART_US: Final = 35 * 24 * 3_600_000_000
"""How far the times of two reports of an answer may lie apart: senders say when the request began,
when the answer came, or in which month that was."""

MAX_REPORTS: Final = 200
"""Maximum number of rows per answer id. An id with more, as from a server with a constant id, does
not identify an answer, and comparing all of its rows would cost more with each request."""

STRONG_LENGTH: Final = 20
"""Shorter ids are not taken for unique: local servers count up to a thousand."""

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
"""Providers that are services: a short id under their name is at least rare."""

_HOUR_US: Final = 3_600_000_000


def is_same_answer(one: UsageEvent, other: UsageEvent) -> bool:
    """Whether two events report the same answer, of which one may be the gateway's."""
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
    """Whether a report counts in the place of one that came before it.

    Known usage goes before unknown usage, then the gateway's record, then what came first.
    """
    return _rank(new) > _rank(counted)


def _rank(event: UsageEvent) -> tuple[bool, bool]:
    return event.usage_source is not UsageSource.UNKNOWN, event.source == GATEWAY


def _tokens_of(event: UsageEvent) -> tuple[int, int]:
    return event.input_tokens, event.output_tokens

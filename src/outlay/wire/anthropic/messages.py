"""Anthropic's Messages API.

Its `input_tokens` exclude what was read from and written to the cache; ours include both. In a
stream `message_start` has the input and `message_delta` the cumulative output, and may correct the
input (docs: "Streaming messages").
"""

from collections.abc import Mapping
from typing import Any, Final

from outlay.domain.usage import MAX_TOKENS, TokenUsage
from outlay.wire.answer import (
    Answer,
    Fields,
    Format,
    count_of,
    list_of,
    object_of,
    part_of,
    text_of,
)
from outlay.wire.counters import read_counters

_STANDARD: Final = frozenset({"standard", "global", "not_available"})
"""Speeds and regions that cost the list price."""

_EMPTY_BLOCKS: Final = frozenset({"text", "thinking", None})
"""Blocks that start empty; a tool call starts with its name."""


def parse_usage(usage: Fields) -> TokenUsage | None:
    """The counts of a `usage` object; None if they are unusable."""
    uncached, output = count_of(usage.get("input_tokens")), count_of(usage.get("output_tokens"))
    if uncached is None or output is None:
        return None
    read = part_of(usage, "cache_read_input_tokens")
    by_age = object_of(usage, "cache_creation")
    hour = part_of(by_age, "ephemeral_1h_input_tokens")
    written = part_of(usage, "cache_creation_input_tokens") or (
        part_of(by_age, "ephemeral_5m_input_tokens") + hour
    )
    total = uncached + read + written
    if total > MAX_TOKENS:
        return None
    return TokenUsage(
        input_tokens=total,
        output_tokens=output,
        cache_read_input_tokens=read,
        cache_write_input_tokens=written,
        cache_write_1h_input_tokens=hour,
        reasoning_output_tokens=part_of(
            object_of(usage, "output_tokens_details"), "thinking_tokens"
        ),
    )


def variant_context(usage: Mapping[str, Any]) -> dict[str, str]:
    """The price context besides the tier: the speed, and the region where the model ran."""
    found = {name: text_of(usage.get(name)) for name in ("speed", "inference_geo")}
    return {name: value for name, value in found.items() if value and value not in _STANDARD}


def _note_counters(answer: Answer, usage: object) -> TokenUsage | None:
    """The counts after an event's counters have replaced those of the same name."""
    if not isinstance(usage, dict):
        return None
    answer.note_tier(usage.get("service_tier"))
    answer.price_context |= variant_context(usage)
    for name, value in usage.items():
        # A late zero does not cancel an earlier count.
        if value or name not in answer.counters:
            answer.counters[name] = value
    answer.note_counted(read_counters(answer.counters))
    return _of_iterations(answer) or parse_usage(answer.counters)


def _of_iterations(answer: Answer) -> TokenUsage | None:
    """The sum over the model runs of an answer; None if the answer does not list them.

    The totals next to them are those of the last run. If another model took over, only its run is
    billed (docs: "Compaction", "Server-side fallback").
    """
    runs = [run for run in list_of(answer.counters, "iterations") if isinstance(run, dict)]
    fallbacks = [run for run in runs if run.get("type") == "fallback_message"]
    if fallbacks:
        answer.response_model = text_of(fallbacks[-1].get("model")) or answer.response_model
    counts = [count for run in fallbacks or runs if (count := parse_usage(run))]
    return TokenUsage(*map(sum, zip(*counts, strict=True))) if counts else None


def _read_event(answer: Answer, fields: Fields) -> None:
    match fields.get("type"):
        case "message_start":
            message = object_of(fields, "message")
            answer.note_head(message)
            answer.usage_so_far = _note_counters(answer, message.get("usage"))
        case "content_block_start":
            kind = object_of(fields, "content_block").get("type")
            answer.has_content = answer.has_content or kind not in _EMPTY_BLOCKS
        case "content_block_delta":
            delta = object_of(fields, "delta")
            for name in ("text", "thinking", "partial_json"):
                answer.note_text(delta.get(name))
        case "message_delta":
            answer.usage = _note_counters(answer, fields.get("usage")) or answer.usage
        case "message_stop":
            answer.is_complete = True
        case "error":
            answer.is_error = answer.is_complete = True


def _read_body(answer: Answer, fields: Fields) -> None:
    answer.note_head(fields)
    if fields.get("type") == "error" or fields.get("error"):
        answer.is_error = True
    answer.usage = _note_counters(answer, fields.get("usage"))
    for block in list_of(fields, "content"):
        if isinstance(block, dict):
            answer.note_text(block.get("text"))


def _read_count(answer: Answer, _: Fields) -> None:
    """The answer of count_tokens is a number, not usage."""
    answer.usage = TokenUsage()


MESSAGES: Final = Format(read_event=_read_event, read_body=_read_body)
COUNT_TOKENS: Final = Format(read_event=_read_event, read_body=_read_count)

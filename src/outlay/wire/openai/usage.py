"""Token counts as OpenAI and the many that imitate it write them.

Sources: OpenAI's API reference (chat completions: prompt_tokens, completion_tokens; responses,
images and transcriptions: input_tokens, output_tokens), DeepSeek (prompt_cache_hit_tokens),
OpenRouter (usage.cost), xAI and Gemini (reasoning tokens counted beside completion_tokens).
"""

from collections.abc import Mapping
from typing import Any

from outlay.domain.usage import TokenUsage
from outlay.wire.answer import count_of, object_of, part_of


def parse_usage(usage: object) -> TokenUsage | None:
    """The counts of a `usage` object; None when it is none or its counts are unusable."""
    if not isinstance(usage, Mapping):
        return None
    input_tokens = count_of(_first(usage, "prompt_tokens", "input_tokens"))
    output_tokens = count_of(_first(usage, "completion_tokens", "output_tokens"))
    if output_tokens is None and _first(usage, "completion_tokens", "output_tokens") is None:
        # Embeddings have no output; they do have a total.
        total = count_of(usage.get("total_tokens"))
        output_tokens = 0 if total is None or input_tokens is None else max(0, total - input_tokens)
    if input_tokens is None or output_tokens is None:
        return None
    incoming = object_of(usage, "prompt_tokens_details") or object_of(usage, "input_tokens_details")
    outgoing = object_of(usage, "completion_tokens_details") or object_of(
        usage, "output_tokens_details"
    )
    reasoning = part_of(outgoing, "reasoning_tokens")
    total = count_of(usage.get("total_tokens"))
    if reasoning and total == input_tokens + output_tokens + reasoning:
        output_tokens += reasoning
    return TokenUsage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_input_tokens=part_of(incoming, "cached_tokens")
        or part_of(usage, "prompt_cache_hit_tokens"),
        cache_write_input_tokens=part_of(incoming, "cache_write_tokens"),
        reasoning_output_tokens=reasoning,
    )


def _first(usage: Mapping[str, Any], *names: str) -> object:
    for name in names:
        if usage.get(name) is not None:
            return usage[name]
    return None

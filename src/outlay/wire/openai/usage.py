"""Token counts as OpenAI and the many that imitate it write them.

Sources: OpenAI's API reference (chat completions: prompt_tokens, completion_tokens; responses,
images and transcriptions: input_tokens, output_tokens), DeepSeek (prompt_cache_hit_tokens),
OpenRouter (usage.cost), xAI and Gemini (reasoning tokens counted beside completion_tokens).
"""

from typing import Annotated, Any, Final

import msgspec

from outlay.domain.usage import MAX_TOKENS, TokenUsage
from outlay.wire.answer import Answer, Fields, count_of, text_of

Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_TOKENS)]


class _Details(msgspec.Struct):
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    reasoning_tokens: Count | None = None


class _Usage(msgspec.Struct):
    """A `usage` object whose counts are counts, in whichever words."""

    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    total_tokens: Count | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None
    prompt_cache_hit_tokens: Count | None = None
    cost: Any = None


class _Body(msgspec.Struct):
    """A whole answer without trouble; its text is skipped, as somebody has counted it."""

    usage: _Usage
    id: str = ""
    model: str = ""
    status: str = ""
    error: None = None
    service_tier: str | None = None


_decode_body: Final = msgspec.json.Decoder(_Body).decode
_NO_DETAILS: Final = _Details()


def read_usual(answer: Answer, body: bytes) -> bool:
    """Take what a whole answer says when it has a usage and no error; whether it had."""
    try:
        found = _decode_body(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    usage = _tokens(found.usage)
    if usage is None or found.status == "failed":
        return False
    answer.usage = usage
    answer.response_id = text_of(found.id)
    answer.response_model = text_of(found.model)
    answer.note_cost(found.usage.cost)
    answer.note_tier(found.service_tier)
    return True


def parse_usage(usage: object) -> TokenUsage | None:
    """The counts of a decoded `usage` object; None when it is none or its counts are unusable.

    A count that is part of another and makes no sense is left out; one that is needed is not
    replaced by a guess.
    """
    if not isinstance(usage, dict):
        return None
    try:
        return _tokens(msgspec.convert(usage, _Usage))
    except (msgspec.ValidationError, RecursionError):
        return _tokens(msgspec.convert(_usable(usage), _Usage))


def _usable(fields: Fields) -> Fields:
    """Those counts that are counts, in details too."""
    kept: Fields = {}
    for name, value in fields.items():
        if name.endswith("_details"):
            kept[name] = _usable(value) if isinstance(value, dict) else None
        elif (count := count_of(value)) is not None:
            kept[name] = count
    return kept


def _tokens(usage: _Usage) -> TokenUsage | None:
    incoming = usage.prompt_tokens_details or usage.input_tokens_details or _NO_DETAILS
    outgoing = usage.completion_tokens_details or usage.output_tokens_details or _NO_DETAILS
    input_tokens, output_tokens = usage.prompt_tokens, usage.completion_tokens
    if input_tokens is None:
        input_tokens = usage.input_tokens
    if output_tokens is None:
        output_tokens = usage.output_tokens
    total = usage.total_tokens
    if input_tokens is None:
        return None
    if output_tokens is None:
        # Embeddings have no output; they do have a total.
        if total is None:
            return None
        output_tokens = max(0, total - input_tokens)
    reasoning = outgoing.reasoning_tokens or 0
    if reasoning and total == input_tokens + output_tokens + reasoning:
        output_tokens += reasoning
    return TokenUsage(
        input_tokens,
        output_tokens,
        incoming.cached_tokens or usage.prompt_cache_hit_tokens or 0,
        incoming.cache_write_tokens or 0,
        0,
        reasoning,
    )

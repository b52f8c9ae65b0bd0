"""Counters of a usage object, by the names that any known provider uses.

Names are compared without case and underscores, so `promptTokens` is `prompt_tokens`. A counter
that is not in the table is reported as unread: it is neither guessed nor dropped. If two names mean
the same, the larger value counts, because a late zero does not cancel an earlier count.

Sources: the API references of OpenAI (chat completions, responses, images, transcriptions),
Anthropic (messages), Google (generateContent), xAI, Perplexity, DeepSeek, Moonshot, OpenRouter,
Groq, Mistral, Cohere and Jina; LiteLLM's usage objects.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from outlay.domain.meter import METERS
from outlay.domain.usage import MAX_TOKENS, TokenUsage
from outlay.wire.values import pusd_of

MAX_DEPTH: Final = 4
MAX_NAMED: Final = 8
"""Maximum number of unread counters that are named; more would be user data, not a provider's
counters."""

_INPUT, _OUTPUT, _TOTAL = "input", "output", "total"
_READ, _WRITE, _WRITE_5M, _WRITE_1H = (
    "cache_read",
    "cache_write",
    "cache_write_5m",
    "cache_write_1h",
)
_REASONING, _TOOL_INPUT, _CITATIONS = "reasoning", "tool_input", "citations"
_SECONDS = "seconds"
_NOTHING: Final = ""
"""For a counter that repeats a part of another one, or is not billed."""

_IN: Final = ("prompt_tokens_details", "input_tokens_details", "input_token_details")
_OUT: Final = ("completion_tokens_details", "output_tokens_details", "output_token_details")

_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    _INPUT: (
        "prompt_tokens",
        "input_tokens",
        "prompt_token_count",
        "billed_units.input_tokens",
        "tokens.input_tokens",
    ),
    _OUTPUT: (
        "completion_tokens",
        "output_tokens",
        "candidates_token_count",
        "billed_units.output_tokens",
        "tokens.output_tokens",
    ),
    _TOTAL: ("total_tokens", "total_token_count"),
    _READ: (
        *(f"{details}.cached_tokens" for details in _IN),
        *(f"{details}.cache_read_tokens" for details in _IN),
        "cached_tokens",
        "prompt_cache_hit_tokens",
        "cache_read_input_tokens",
        "cached_content_token_count",
    ),
    _WRITE: (
        *(f"{details}.cache_write_tokens" for details in _IN),
        *(f"{details}.cache_creation_tokens" for details in _IN),
        *(f"{details}.cached_creation_tokens" for details in _IN),
        *(f"{details}.cache_creation_input_tokens" for details in _IN),
        "cache_creation_input_tokens",
        "cache_write_input_tokens",
        "cache_write_tokens",
    ),
    _WRITE_5M: (
        *(f"{details}.cache_creation_token_details.ephemeral_5m_input_tokens" for details in _IN),
        "cache_creation.ephemeral_5m_input_tokens",
    ),
    _WRITE_1H: (
        *(f"{details}.cache_creation_token_details.ephemeral_1h_input_tokens" for details in _IN),
        "cache_creation.ephemeral_1h_input_tokens",
    ),
    _REASONING: (
        *(f"{details}.reasoning_tokens" for details in _OUT),
        *(f"{details}.thinking_tokens" for details in _OUT),
        "reasoning_tokens",
        "thoughts_token_count",
    ),
    _TOOL_INPUT: ("tool_use_prompt_token_count",),
    _CITATIONS: ("citation_tokens",),
    _SECONDS: ("seconds", "prompt_audio_seconds", "audio_seconds"),
    **{
        f"input_{kind}_tokens": (
            *(f"{details}.{kind}_tokens" for details in _IN),
            f"prompt_tokens_details.{kind}",
        )
        for kind in ("audio", "image", "video")
    },
    **{
        f"cache_{kind}_read_tokens": (
            *(f"{details}.cached_tokens_details.{kind}_tokens" for details in _IN),
            f"cache_tokens_details.{kind}",
        )
        for kind in ("audio", "image", "video")
    },
    **{
        f"output_{kind}_tokens": (
            *(f"{details}.{kind}_tokens" for details in _OUT),
            f"candidates_tokens_details.{kind}",
        )
        for kind in ("audio", "image", "video")
    },
    "web_searches": (
        "server_tool_use.web_search_requests",
        "server_side_tool_usage_details.web_search_calls",
        "num_search_queries",
    ),
    "social_searches": ("server_side_tool_usage_details.x_search_calls",),
    "storage_searches": (
        "server_side_tool_usage_details.file_search_calls",
        "server_side_tool_usage_details.document_search_calls",
    ),
    "code_executions": ("server_side_tool_usage_details.code_interpreter_calls",),
    "rerank_searches": ("billed_units.search_units", "search_units"),
    "input_characters": ("input_characters", "characters"),
    "input_document_pages": ("pages_processed",),
    _NOTHING: (
        *(f"{details}.text_tokens" for details in (*_IN, *_OUT)),
        *(f"{details}.cached_tokens_details.text_tokens" for details in _IN),
        *(f"{details}.accepted_prediction_tokens" for details in _OUT),
        *(f"{details}.rejected_prediction_tokens" for details in _OUT),
        "prompt_tokens_details.text",
        "prompt_tokens_details.document",
        "candidates_tokens_details.text",
        "cache_tokens_details.text",
        "prompt_cache_miss_tokens",
        "tokens.image_tokens",
        "server_tool_use.web_fetch_requests",
        "server_tool_use.tool_search_requests",
        "doc_size_bytes",
    ),
}


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


_MEANING: Final[Mapping[str, str]] = {
    _plain(word): meaning for meaning, words in _WORDS.items() for word in words
}

_UNCOUNTED: Final = frozenset(map(_plain, ("cost", "cost_details", "cost_in_usd_ticks")))
"""Members of a usage object that are amounts of money."""


class Counted(NamedTuple):
    """The content of a usage object."""

    usage: TokenUsage | None
    """None without a count of tokens or of anything else that is billed."""
    meters: Mapping[str, int]
    unread: tuple[str, ...]
    """Paths of counters that are not in the table."""


def read_counters(usage: Mapping[str, Any]) -> Counted:
    """Read a usage object, whether parts are included in their totals or listed separately.

    `total_tokens` tells which: cached tokens and reasoning are added if the total shows that they
    are separate. An unexplained remainder was generated: providers leave thoughts out of the output
    (Gemini through its OpenAI endpoint).
    """
    found: dict[str, int] = {}
    unread: list[str] = []
    for path, count in _leaves(usage, "", MAX_DEPTH):
        meaning = _MEANING.get(_plain(path))
        if meaning:
            found[meaning] = max(found.get(meaning, 0), int(count))
        elif meaning is None and count and type(count) is int and len(unread) < MAX_NAMED:
            unread.append(path)
    meters = {name: count for name, count in found.items() if name in METERS and count}
    if seconds := usage.get("seconds"):
        meters |= _time_of(seconds)
        found.pop(_SECONDS, None)
    tokens = _tokens(found, meters)
    if tokens is None and meters:
        tokens = TokenUsage()
    return Counted(tokens, meters, tuple(unread))


def read_cost(usage: Mapping[str, Any]) -> int | None:
    """The cost in a usage object, in pico-USD; None without one.

    `cost` is a number (OpenRouter) or an object with a total (Perplexity); xAI counts ticks of
    1e-10 USD. With a customer's own provider key at OpenRouter, the cost is the upstream's charge.
    """
    cost = usage.get("cost")
    if isinstance(cost, dict):
        cost = cost.get("total_cost")
    ticks = usage.get("cost_in_usd_ticks")
    if type(ticks) is int and ticks >= 0:
        return ticks * 100
    if usage.get("is_byok"):
        details = usage.get("cost_details")
        upstream = details.get("upstream_inference_cost") if isinstance(details, dict) else None
        charged, of_upstream = pusd_of(cost), pusd_of(upstream)
        if of_upstream is not None:
            return (charged or 0) + of_upstream
    return pusd_of(cost)


def _leaves(part: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, int | float]]:
    """Counts by path; in a list of counts by modality, the modality is the last part of the path.

    Some providers write whole numbers as floats; other floats are durations, not counts.
    """
    for name, value in part.items():
        if not prefix and _plain(name) in _UNCOUNTED:
            continue
        if type(value) is int or (isinstance(value, float) and value.is_integer()):
            if 0 <= value <= MAX_TOKENS:
                yield prefix + name, value
        elif isinstance(value, dict) and depth:
            yield from _leaves(value, f"{prefix}{name}.", depth - 1)
        elif isinstance(value, list) and depth:
            for item in value:
                if isinstance(item, dict) and isinstance(item.get("modality"), str):
                    count = item.get("tokenCount", item.get("token_count"))
                    if type(count) is int and 0 <= count <= MAX_TOKENS:
                        yield f"{prefix}{name}.{item['modality'].lower()}", count


def _time_of(seconds: object) -> dict[str, int]:
    if isinstance(seconds, int | float) and 0 < seconds <= MAX_TOKENS:
        return {"input_audio_milliseconds": round(seconds * 1000)}
    return {}


def _tokens(found: dict[str, int], meters: dict[str, int]) -> TokenUsage | None:
    total = found.get(_TOTAL)
    input_tokens, output = found.get(_INPUT), found.get(_OUTPUT)
    if input_tokens is None:
        if total is None or output is not None:
            return None
        input_tokens, output = total, 0  # embeddings and reranking only have a total
    if output is None:
        if total is None:
            return None
        output = max(0, total - input_tokens)
    read = found.get(_READ, 0)
    write_1h = found.get(_WRITE_1H, 0)
    write = max(found.get(_WRITE, 0), write_1h + found.get(_WRITE_5M, 0))
    reasoning = found.get(_REASONING, 0)
    beside = max(0, total - input_tokens - output) if total else 0
    if read + write and (beside == read + write or read + write > input_tokens):
        input_tokens += read + write
        beside = 0
    if tool_input := found.get(_TOOL_INPUT, 0):
        input_tokens += tool_input
        meters["input_tool_tokens"] = tool_input
        beside = max(0, beside - tool_input)
    if reasoning > output or (reasoning and beside == reasoning):
        output += reasoning
    elif beside:
        output += beside
        reasoning += beside
    if citations := found.get(_CITATIONS, 0):
        output += citations
        meters["output_citation_tokens"] = citations
    return TokenUsage(input_tokens, output, read, write, write_1h, reasoning)

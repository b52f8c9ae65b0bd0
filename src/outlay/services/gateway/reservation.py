"""The largest cost of a request, which is reserved against spend limits.

Input is estimated from the text, at the highest rate it can be billed at. Output is the largest
maximum that the request states, for each requested answer; without an effective maximum, the most
that the model can answer.
"""

from collections.abc import Mapping
from typing import Final

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid, NotPermitted
from outlay.domain.event import CostSource
from outlay.domain.money import MAX_PUSD
from outlay.domain.usage import MAX_TOKENS, TokenUsage
from outlay.pricing.book import PriceBook
from outlay.wire.call import Call, prompt_bytes
from outlay.wire.ceiling import Ceiling, read_ceiling
from outlay.wire.estimate import estimate_tokens

FREE: Final = frozenset({"count_tokens"})
"""Operations that cost nothing, so that no limit applies to them."""

UNLISTED_OUTPUT: Final = 131_072
"""Output tokens of a model with neither a known maximum nor a known context length."""

MEDIA_OUTPUT: Final = 16_384
"""Output tokens of one image or audio clip; no list has its maximum."""

_MEDIA: Final = frozenset({"image_generation", "speech", "transcription"})
_OBEYED: Final[Mapping[str, frozenset[str]]] = {
    "chat": frozenset({"max_tokens"}),
    "text_completion": frozenset({"max_tokens"}),
    "responses": frozenset({"max_output_tokens"}),
}
"""Members that every provider of an operation obeys as the output maximum."""

_NEWER: Final = frozenset({"max_completion_tokens"})
_TAKES_NEWER: Final = frozenset(
    {
        "anthropic",
        "azure",
        "cerebras",
        "google",
        "groq",
        "openai",
        "openrouter",
        "vllm",
        "x-ai",
    }
)
"""Providers that also obey the newer name; others may ignore it."""

_SILENT: Final = frozenset({"embeddings"})
"""Operations whose answers have no billed output."""


def highest_cost(
    book: PriceBook, *, provider: str, mapping: str, at_us: int, operation: str, call: Call
) -> int:
    """The largest possible cost of a request in pico-USD.

    Raises NotPermitted for a model without a price, whose cost is unbounded.
    """
    obeyed = _OBEYED.get(operation, frozenset())
    if operation == "chat" and provider in _TAKES_NEWER:
        obeyed |= _NEWER
    ceiling = read_ceiling(call, obeyed)
    output = 0 if operation in _SILENT else _output(book, provider, mapping, operation, ceiling)
    usages = _usages(estimate_tokens(prompt_bytes(call)), output, ceiling)
    contexts = _contexts(ceiling)
    try:
        priced = [
            book.price(
                provider=provider, mapping=mapping, at_us=at_us, usage=usage, context=context
            )
            for context in contexts
            for usage in usages
        ]
    except Invalid:  # more than an event can cost, and so more than any limit
        return MAX_PUSD
    if any(one.cost_source is CostSource.UNPRICED for one in priced):
        raise _unpriced(mapping)
    return max(one.cost_pusd for one in priced)


def _output(book: PriceBook, provider: str, mapping: str, operation: str, ceiling: Ceiling) -> int:
    most = ceiling.most
    if ceiling.is_open or not ceiling.is_bounded:
        known = book.output_limit(provider, mapping)
        if known is None:
            known = MEDIA_OUTPUT if operation in _MEDIA else UNLISTED_OUTPUT
        most = max(most, known)
    return min(MAX_TOKENS, (most + ceiling.added) * ceiling.choices)


def _usages(input_tokens: int, output: int, ceiling: Ceiling) -> list[TokenUsage]:
    """The ways in which so many tokens can be billed: all input of one kind each."""
    written = [(0, 0), (input_tokens, 0)]
    if ceiling.caches_long:
        written.append((input_tokens, input_tokens))
    return [
        TokenUsage(input_tokens, output, 0, write, write_1h, reasoning)
        for write, write_1h in written
        for reasoning in (0, output)
    ]


def _contexts(ceiling: Ceiling) -> list[Mapping[str, str]]:
    """The price contexts that may apply: the default and the requested ones."""
    contexts: list[Mapping[str, str]] = [{}, *ceiling.contexts]
    if len(ceiling.contexts) > 1:
        contexts.append(dict(pair for one in ceiling.contexts for pair in one.items()))
    return contexts


def _unpriced(mapping: str) -> NotPermitted:
    return NotPermitted(
        f"The model {mapping} has no price, so a spend limit cannot be applied. Ask the gateway's "
        "operator to set a price (0 for a free model).",
        code=ErrorCode.MODEL_UNPRICED,
    )

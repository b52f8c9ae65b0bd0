"""Spans that are no call of a model and tell of tokens all the same: in whose words."""

from typing import Final

from outlay.wire.answer import text_of
from outlay.wire.otlp.genai import kind_of
from outlay.wire.otlp.spans import Span, Value

_DETAILS: Final = "langfuse.observation.usage_details"
_LIMITS: Final = ("max_", "min_", "maxTokens", "maxOutputTokens", "limit", "budget", "request.")
"""What is in the names of bounds that a request sets, which are no usage."""


def tells_tokens(span: Span) -> bool:
    """Whether a span has counts of tokens, in whichever words."""
    return any(_is_count(name, value) for name, value in span.attributes.items())


def operation_of(span: Span) -> str:
    """What a span is in its sender's words: its kind, or its name where it has none."""
    return kind_of(span) or text_of(span.attributes.get("ai.operationId")) or span.name


def _is_count(name: str, value: Value) -> bool:
    if name == _DETAILS:
        return bool(value) and value != "{}"
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return is_number and "token" in name.lower() and not any(part in name for part in _LIMITS)

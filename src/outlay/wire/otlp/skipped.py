"""Spans that are not model calls but have token counts, by convention and sender."""

from typing import Final

from outlay.wire.answer import text_of
from outlay.wire.otlp.genai import kind_of
from outlay.wire.otlp.spans import Span, Value

_DETAILS: Final = "langfuse.observation.usage_details"
_LIMITS: Final = ("max_", "min_", "maxTokens", "maxOutputTokens", "limit", "budget", "request.")
"""Parts of names of limits set by a request, which are not usage."""


def tells_tokens(span: Span) -> bool:
    """Whether a span has token counts, under any names."""
    return any(_is_count(name, value) for name, value in span.attributes.items())


def operation_of(span: Span) -> str:
    """The kind that the sender states for a span, or its name without a kind."""
    return kind_of(span) or text_of(span.attributes.get("ai.operationId")) or span.name


def _is_count(name: str, value: Value) -> bool:
    if name == _DETAILS:
        return bool(value) and value != "{}"
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return is_number and "token" in name.lower() and not any(part in name for part in _LIMITS)

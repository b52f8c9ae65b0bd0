"""Sender-specific attributes, translated into the conventions that `genai` reads.

Observed with: the Vercel AI SDK 6, Logfire 5, Claude Code 2, Codex 0.17, OpenInference's OpenAI
instrumentation, the Langfuse SDK 5.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from outlay.wire.answer import count_of, text_of
from outlay.wire.apps import app_of_agent
from outlay.wire.otlp.spans import Attributes, Span, Value
from outlay.wire.values import first_of, object_in

NO_CALL: Final = "unknown"
"""A kind that is never counted."""

_STEPS: Final = {
    "doGenerate": "chat",
    "doStream": "chat",
    "doEmbed": "embeddings",
    "doRerank": "rerank",
    "doTranscribe": "transcription",
}
"""Operations of the Vercel AI SDK by the last part of their names."""

_AGENTS: Final = re.compile(r"(claude[-_]code|codex)\b|codex_", re.IGNORECASE)
_MODELS: Final = ("gen_ai.request.model", "gen_ai.response.model", "model", "slug")
_COUNTS: Final = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
_NS: Final = 1_000_000_000
_MAX_ANCESTORS: Final = 64


def in_common_words(span: Span) -> Span:
    """A span with its sender's own attributes translated into the conventions."""
    for rule in _RULES:
        span = rule(span)
    return span


def with_models(spans: Sequence[Span]) -> list[Span]:
    """Spans; those with tokens but no model get the model of the nearest span above.

    Codex counts tokens on a span inside the one that names the model.
    """
    by_key = {span.key: span for span in spans}
    return [
        _add(span, {"gen_ai.request.model": model})
        if first_of(span.attributes, *_COUNTS) is not None
        and not first_of(span.attributes, *_MODELS)
        and (model := _model_above(span, by_key))
        else span
        for span in spans
    ]


def _model_above(span: Span, by_key: Mapping[tuple[str, str], Span]) -> str:
    above = by_key.get((span.trace_id, span.parent_id))
    for _ in range(_MAX_ANCESTORS):
        if above is None:
            break
        if model := text_of(first_of(above.attributes, *_MODELS)):
            return model
        above = by_key.get((above.trace_id, above.parent_id))
    return ""


def _vercel(span: Span) -> Span:
    """The Vercel AI SDK: `ai.*`, times in milliseconds, failures without any count."""
    found = span.attributes
    step = text_of(found.get("ai.operationId")).rpartition(".")[2]
    if not step.startswith("do"):
        return span
    more: dict[str, Value] = {
        "gen_ai.operation.name": _STEPS.get(step, step.removeprefix("do").lower()),
        "gen_ai.request.model": found.get("ai.model.id"),
        "gen_ai.system": found.get("ai.model.provider"),
        "gen_ai.response.id": found.get("ai.response.id"),
        "gen_ai.response.model": found.get("ai.response.model"),
        "gen_ai.request.stream": step == "doStream",
        "gen_ai.response.time_to_first_chunk": _seconds(
            first_of(found, "ai.response.msToFirstChunk", "ai.stream.msToFirstChunk")
        ),
        "user.id": found.get("ai.telemetry.metadata.userId"),
        "session.id": found.get("ai.telemetry.metadata.sessionId"),
        "gen_ai.agent.name": found.get("ai.telemetry.functionId"),
    }
    return _add(span, more)


def _claude_code(span: Span) -> Span:
    """Claude Code: Anthropic's own counters, which exclude cached tokens from the input."""
    found = span.attributes
    if found.get("span.type") != "llm_request":
        return span
    counts = [
        count_of(_number(found.get(name)))
        for name in ("input_tokens", "cache_read_tokens", "cache_creation_tokens")
    ]
    more: dict[str, Value] = {
        "gen_ai.request.model": found.get("model"),
        "gen_ai.system": "anthropic",
        "gen_ai.response.time_to_first_chunk": _seconds(found.get("ttft_ms")),
        "gen_ai.request.stream": found.get("ttft_ms") is not None,
        "http.response.status_code": found.get("status_code"),
    }
    if counts[0] is not None:
        more["gen_ai.usage.input_tokens"] = sum(count or 0 for count in counts)
    if found.get("success") in (False, "false"):
        # Its `error` has the provider's text, which may quote user data.
        more["error.type"] = text_of(str(found.get("status_code") or "error"))
    return _add(span, more)


def _logfire(span: Span) -> Span:
    """Logfire: a stream is a span when it begins, and a log with the counts when it has ended.

    The log counts. It has no duration but states how long the stream took.
    """
    found = span.attributes
    kind = found.get("logfire.span_type")
    if kind == "pending_span":
        return _say(span, {"gen_ai.operation.name": NO_CALL})
    asked = object_in(found.get("request_data"))
    if kind is None or asked.get("stream") is not True:
        return span
    if kind == "log":
        more = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": asked.get("model"),
            "gen_ai.request.stream": True,
        }
        return _add(_lasting(span, found.get("duration")), more)
    has_counts = first_of(found, *_COUNTS) is not None
    if has_counts or span.is_error or found.get("error.type"):
        return span
    return _say(span, {"gen_ai.operation.name": NO_CALL})


def _openinference(span: Span) -> Span:
    """OpenInference: a failed call has its model only among the parameters."""
    asked = object_in(span.attributes.get("llm.invocation_parameters"))
    return _add(span, {"llm.model_name": asked.get("model")}) if asked else span


def _langfuse(span: Span) -> Span:
    """The Langfuse SDK: a failure is a level."""
    if text_of(span.attributes.get("langfuse.observation.level")).upper() != "ERROR":
        return span
    return replace(span, is_error=True)


def _agents(span: Span) -> Span:
    """Coding agents: the same app name as in the gateway."""
    service = text_of(span.attributes.get("service.name"))
    return _add(span, {"outlay.app": app_of_agent(service)}) if _AGENTS.match(service) else span


_RULES: Final[Sequence[Callable[[Span], Span]]] = (
    _vercel,
    _claude_code,
    _logfire,
    _openinference,
    _langfuse,
    _agents,
)


def _add(span: Span, more: Mapping[str, Value]) -> Span:
    """A span with further attributes, unless it has them already."""
    found = span.attributes
    return _say(span, {name: value for name, value in more.items() if _is_new(found, name, value)})


def _is_new(found: Attributes, name: str, value: Value) -> bool:
    return value is not None and value != "" and found.get(name) in (None, "")


def _say(span: Span, more: Mapping[str, Value]) -> Span:
    return replace(span, attributes={**span.attributes, **more}) if more else span


def _lasting(span: Span, duration_s: Value) -> Span:
    """A span without a duration that ended after some seconds."""
    seconds = duration_s if isinstance(duration_s, int | float) else 0
    if span.start_ns < span.end_ns or not 0 < seconds < 86_400:
        return span
    return replace(span, start_ns=span.end_ns - round(seconds * _NS))


def _seconds(ms: Value) -> float | None:
    number = _number(ms)
    return number / 1000 if isinstance(number, int | float) else None


def _number(value: Value) -> Any:
    """A number that may be text."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return None

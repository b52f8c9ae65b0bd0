"""LLM calls among spans, in any known convention: the span of one call → a usage report.

Sources: OpenTelemetry GenAI semantic conventions (current names and those they replaced),
OpenInference, Traceloop's OpenLLMetry, Langfuse's and LiteLLM's attributes, OpenRouter's Broadcast,
and the cost attributes of OpenLIT, Sentry and Logfire. `docs/guides/opentelemetry.md` has a table
of them.
"""

from collections.abc import Mapping
from typing import Any, Final

from outlay.domain.event import Status, UsageSource, status_of_code
from outlay.domain.ids import EventId
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.wire.answer import count_of, text_of, tier_context
from outlay.wire.counters import Counted
from outlay.wire.end_users import end_user_of
from outlay.wire.langfuse import count_details
from outlay.wire.otlp.senders import in_common_words
from outlay.wire.otlp.spans import Attributes, Span, Value
from outlay.wire.providers import route_of
from outlay.wire.values import elapsed_us, first_of, is_streamed, object_in, pusd_of, time_us_of

SOURCE: Final = "otel"

_KINDS: Final = (
    "gen_ai.operation.name",
    "openinference.span.kind",
    "langfuse.observation.type",
    "traceloop.span.kind",
    "llm.request.type",
)
"""Attributes with the kind of a span; the first that is present decides."""

_CALLS: Final = {
    "chat": "chat",
    "completion": "text_completion",
    "embedding": "embeddings",
    "embeddings": "embeddings",
    "generate_content": "chat",
    "generation": "chat",
    "llm": "chat",
    "rerank": "rerank",
    "reranker": "rerank",
    "responses": "responses",
    "speech": "speech",
    "text_completion": "text_completion",
    "transcription": "transcription",
}
"""Operation by kind, for kinds that are one model call."""

_NO_CALLS: Final = frozenset(
    {
        "agent",
        "chain",
        "create_agent",
        "evaluator",
        "event",
        "execute_tool",
        "guardrail",
        "invoke_agent",
        "invoke_workflow",
        "prompt",
        "retrieval",
        "retriever",
        "span",
        "task",
        "tool",
        "unknown",
        "workflow",
    }
)
"""Kinds that may carry sums of the spans inside them, and are never counted. Any other word is a
call if it comes with a model and tokens.
"""

_INPUT: Final = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
    "ai.usage.inputTokens",
    "ai.usage.tokens",
    "input_tokens",
)
_OUTPUT: Final = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
    "ai.usage.outputTokens",
    "output_tokens",
)
_CACHE_READ: Final = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.input_tokens.cached",
    "llm.token_count.prompt_details.cache_read",
    "llm.usage.cache_read_input_tokens",
    "ai.usage.cachedInputTokens",
    "ai.usage.inputTokenDetails.cacheReadTokens",
    "cache_read_tokens",
)
_CACHE_WRITE: Final = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.input_tokens.cache_write",
    "llm.token_count.prompt_details.cache_write",
    "llm.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_write_input_tokens",
    "ai.usage.inputTokenDetails.cacheWriteTokens",
    "cache_creation_tokens",
)
_CACHE_WRITE_1H: Final = (
    "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
    "gen_ai.usage.cache_creation.ephemeral_1h_input_tokens",
)
_REASONING: Final = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.output_tokens.reasoning",
    "codex.usage.reasoning_output_tokens",
    "llm.token_count.completion_details.reasoning",
    "llm.usage.reasoning_tokens",
    "ai.usage.reasoningTokens",
    "ai.usage.outputTokenDetails.reasoningTokens",
)
_TOTAL: Final = (
    "gen_ai.usage.total_tokens",
    "llm.token_count.total",
    "llm.usage.total_tokens",
    "ai.usage.totalTokens",
)
_COST: Final = (
    "gen_ai.usage.cost",
    "gen_ai.usage.total_cost",
    "gen_ai.cost.total_tokens",
    "gen_ai.cost.total",
    "litellm.cost.total",
    "llm.cost.total",
    "operation.cost",
)
_MODEL: Final = (
    "gen_ai.request.model",
    "llm.request.model",
    "llm.model_name",
    "embedding.model_name",
    "langfuse.observation.model.name",
    "gen_ai.response.model",
)
_PROVIDER: Final = (
    "gen_ai.provider.name",
    "gen_ai.system",
    "llm.provider",
    "llm.system",
    "llm.vendor",
)
_END_USER: Final = (
    "user.id",
    "enduser.id",
    "langfuse.user.id",
    "traceloop.association.properties.user_id",
    "litellm.end_user.id",
    "gen_ai.user.id",
)
_SESSION: Final = (
    "outlay.session",
    "session.id",
    "gen_ai.conversation.id",
    "langfuse.session.id",
    "traceloop.association.properties.session_id",
    "conversation.id",
)
_APP: Final = ("outlay.app", "service.name", "gen_ai.agent.name", "langfuse.trace.name")
_TAG: Final = "outlay.tag."
"""Prefix of attributes that are tags: `outlay.tag.team`."""
_PROJECT: Final = (
    "outlay.project",
    "litellm.team.id",
    "openinference.project.name",
    "langfuse.project.id",
)
_KEY: Final = ("outlay.api_key", "litellm.api_key.hash")
_NAMES: Final = {"litellm.team.id": "litellm.team.alias"}
"""Attributes with the display name of another attribute's value."""

_STREAM: Final = (
    "gen_ai.request.stream",
    "gen_ai.is_streaming",
    "llm.is_streaming",
    "litellm.request.streaming",
)
_TIER: Final = (
    "openai.response.service_tier",
    "gen_ai.openai.response.service_tier",
    "anthropic.response.service_tier",
)
MAX_ATTEMPT: Final = 1000
"""A larger number is not an attempt number."""
_FIRST_CHUNK_S: Final = (
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.server.time_to_first_token",
)


def report_of(span: Span) -> UsageReport | None:
    """The report of a span that is one model call, None for other spans."""
    span = in_common_words(span)
    found = span.attributes
    operation = _operation(span)
    if operation is None:
        return None
    counted = _counted(found)
    usage = counted.usage
    model = text_of(first_of(found, *_MODEL))
    code = _status_code(found)
    is_failed = span.is_error or bool(found.get("error.type")) or (code or 0) >= 400
    if not model and usage is None and not is_failed:
        return None
    start_us, end_us = span.start_ns // 1000, span.end_ns // 1000
    provider, mapping = route_of(text_of(first_of(found, *_PROVIDER)), model or "unknown")
    first_token_us = _first_token_us(found, start_us)
    return UsageReport(
        event_id=EventId(
            text_of(found.get("litellm.call_id")) or f"{span.trace_id}:{span.span_id}"
        ),
        event_time_us=start_us,
        provider=provider,
        mapping=mapping,
        # A failure without a count has no known usage.
        usage=TokenUsage() if usage is None and is_failed else usage,
        meters=counted.meters,
        unread=counted.unread,
        project_id=text_of(first_of(found, *_PROJECT)),
        api_key_id=text_of(first_of(found, *_KEY)),
        user_id=text_of(found.get("outlay.user")),
        groups=_groups(found.get("outlay.groups")),
        tags=_tags(found),
        end_user=end_user_of(first_of(found, *_END_USER)),
        app=_app(found),
        operation=operation,
        status=_status(code) if is_failed else Status.OK,
        usage_source=UsageSource.REPORTED,
        duration_us=elapsed_us(start_us, end_us),
        time_to_first_token_us=first_token_us,
        reported_cost_pusd=_cost(found),
        is_stream=is_streamed(_is_stream(found), first_token_us),
        http_status=code,
        error_code=text_of(found.get("error.type")) if is_failed else "",
        response_id=text_of(first_of(found, "gen_ai.response.id", "llm.response.id")),
        response_model=text_of(found.get("gen_ai.response.model")),
        price_context=_context(found),
        session_id=text_of(first_of(found, *_SESSION)),
        attempt=_attempt(found.get("attempt")),
        trace_id=span.trace_id,
        parent_id=span.parent_id,
        names=_names(found),
        source=SOURCE,
    )


def _operation(span: Span) -> str | None:
    """The operation of one model call, None for other spans."""
    found = span.attributes
    if found.get("span.type") == "llm_request":  # Claude Code
        return "chat"
    has_counts = any(name in found for name in (*_INPUT, *_OUTPUT))
    if kind := kind_of(span):
        is_call = kind not in _NO_CALLS and has_counts and first_of(found, *_MODEL)
        return _CALLS.get(kind) or ("chat" if is_call else None)
    if is_sum(span):
        return None
    # Older instrumentations have no kind, but token counts.
    return "chat" if has_counts else None


def kind_of(span: Span) -> str:
    """The kind that a span states, in lower case; empty if it states none."""
    words = (text_of(span.attributes.get(name)).lower() for name in _KINDS)
    return next(filter(None, words), "")


def is_sum(span: Span) -> bool:
    """Whether a span states that it is not a call itself: an agent, a chain, a tool, several
    steps.
    """
    if kind := kind_of(span):
        return kind in _NO_CALLS
    # The Vercel AI SDK's calls are steps, `ai.generateText.doGenerate`; spans above sum them.
    step = text_of(span.attributes.get("ai.operationId")).rpartition(".")[2]
    return bool(step) and not step.startswith("do")


def _counted(found: Attributes) -> Counted:
    counts = [
        count_of(_number(first_of(found, *names)))
        for names in (_INPUT, _OUTPUT, _CACHE_READ, _CACHE_WRITE, _REASONING, _CACHE_WRITE_1H)
    ]
    incoming, outgoing, read, write, reasoning, write_1h = counts
    if incoming is None and outgoing is None:
        return count_details(object_in(found.get("langfuse.observation.usage_details")))
    total = count_of(_number(first_of(found, *_TOTAL)))
    if incoming is None:
        incoming = max(0, (total or 0) - (outgoing or 0))
    if outgoing is None:
        outgoing = max(0, (total or 0) - incoming)
    read, write = read or 0, write or 0
    if read + write > incoming:
        # Counted separately from the input, as Anthropic's own counters do.
        incoming += read + write
    usage = TokenUsage(incoming, outgoing, read, write, write_1h or 0, reasoning or 0)
    return Counted(usage, {}, ())


def _context(found: Attributes) -> dict[str, str]:
    """The price context: the tier, and the speed of Claude Code."""
    context = tier_context(first_of(found, *_TIER))
    return {**context, "speed": "fast"} if found.get("speed") == "fast" else context


def _attempt(value: Value) -> int:
    count = count_of(_number(value))
    return count if count and count <= MAX_ATTEMPT else 1


def _cost(found: Attributes) -> int | None:
    cost = first_of(found, *_COST)
    if cost is None:
        details = object_in(found.get("langfuse.observation.cost_details"))
        cost = details.get("total") if "total" in details else None
    return pusd_of(cost)


def _status_code(found: Attributes) -> int | None:
    code = _number(first_of(found, "http.response.status_code", "http.status_code", "error.type"))
    return code if isinstance(code, int) and 100 <= code <= 599 else None


def _status(code: int | None) -> Status:
    return status_of_code(code) if code is not None and code >= 400 else Status.UPSTREAM_ERROR


def _first_token_us(found: Attributes, start_us: int) -> int | None:
    seconds = _number(first_of(found, *_FIRST_CHUNK_S))
    if isinstance(seconds, int | float) and 0 <= seconds < 86_400:
        return round(seconds * 1_000_000)
    began = found.get("langfuse.observation.completion_start_time")
    return elapsed_us(start_us, time_us_of(began.strip('"'))) if isinstance(began, str) else None


def _is_stream(found: Attributes) -> bool | None:
    """Whether the answer was streamed; None if the span does not say."""
    stated = first_of(found, *_STREAM)
    return None if stated is None else stated in (True, "true", "True")


def _app(found: Attributes) -> str:
    """The calling application; an SDK's placeholder for a missing name is ignored."""
    for name in _APP:
        app = text_of(found.get(name))
        if app and not app.startswith("unknown_service"):
            return app
    return ""


def _groups(value: Any) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list):
        return ()
    return tuple(name for part in names if (name := text_of(part).strip()))


def _tags(found: Attributes) -> Mapping[str, str]:
    return {
        name.removeprefix(_TAG).lower(): value
        for name in found
        if name.startswith(_TAG) and (value := text_of(found[name]))
    }


def _names(found: Attributes) -> Mapping[str, str]:
    pairs = ((text_of(found.get(of)), text_of(found.get(name))) for of, name in _NAMES.items())
    return {value: name for value, name in pairs if value and name}


def _number(value: Any) -> Any:
    """A number that may be text."""
    if not isinstance(value, str):
        return value
    try:
        return int(value)
    except ValueError:
        return None

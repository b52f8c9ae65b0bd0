"""Our own usage event on the wire: strict JSON in, reports out.

Money arrives as a decimal number or string of USD, times as RFC 3339 with an offset, durations as
milliseconds. Unknown fields are refused, so that a misspelt one is never silently lost.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from outlay.domain.errors import Invalid
from outlay.domain.event import MAX_TEXT, Status, UsageSource
from outlay.domain.latency import MAX_DURATION_US
from outlay.domain.meter import MAX_QUANTITY
from outlay.domain.money import render_usd
from outlay.domain.provider import find_provider
from outlay.domain.usage import MAX_TOKENS, TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import from_us, to_us
from outlay.wire.bodies import Objects
from outlay.wire.values import is_streamed, pusd_of

MAX_GROUPS: Final = 100
MAX_TAGS: Final = 100
"""Tags of one event that are looked at."""
"""Most groups that an event may name."""
MAX_UNREAD: Final = 50
"""Most counters that an event may name."""

Count = Annotated[int, Meta(ge=0, le=MAX_TOKENS)]
Quantity = Annotated[int, Meta(ge=0, le=MAX_QUANTITY)]
Label = Annotated[str, Meta(max_length=MAX_TEXT, pattern=r"^[^\x00-\x1f]*$")]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT, pattern=r"^[^\x00-\x1f]*$")]
Milliseconds = Annotated[float, Meta(ge=0, le=MAX_DURATION_US / 1000)]


class NativeTokens(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Token counts; each part is contained in its whole."""

    input_tokens: Count
    output_tokens: Count
    cache_read_input_tokens: Count = 0
    cache_write_input_tokens: Count = 0
    cache_write_1h_input_tokens: Count = msgspec.field(default=0, name="cacheWrite1hInputTokens")
    reasoning_output_tokens: Count = 0


class NativeEvent(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True
):
    """One request as a client of our ingest reports it."""

    event_id: Name
    event_time: Annotated[datetime, Meta(tz=True)]
    model: Name
    """With its provider in front, `openai/gpt-5.5`, unless `provider` is given."""
    provider: Label = ""
    usage: NativeTokens | None = None
    project_id: Label = ""
    api_key_id: Label = ""
    user_id: Label = ""
    end_user: Label = ""
    app: Label = ""
    operation: Name = "chat"
    status: Status = Status.OK
    usage_source: UsageSource = UsageSource.REPORTED
    duration_ms: Milliseconds | None = None
    time_to_first_token_ms: Milliseconds | None = None
    reported_cost: Decimal | None = None
    price_context: dict[Name, Label] = {}
    groups: Annotated[list[Name], Meta(max_length=MAX_GROUPS)] = []
    is_stream: bool | msgspec.UnsetType = msgspec.UNSET
    """When left out, an event with a time to the first token was streamed."""
    http_status: Annotated[int, Meta(ge=100, le=599)] | None = None
    error_code: Label = ""
    response_id: Label = ""
    response_model: Label = ""
    meters: dict[Name, Quantity] = {}
    """What else is billed, by meter: `{"web_searches": 3}`."""
    unread: Annotated[list[Name], Meta(max_length=MAX_UNREAD)] = []
    """Counters of the provider that the sender does not understand; the cost is then partial."""
    session_id: Label = ""
    tags: Annotated[dict[Name, Label], Meta(max_length=MAX_TAGS)] = {}
    """What is said of the request: `{"team": "search"}`; values of registered keys are kept."""
    provider_batch_id: Label = ""
    attempt: Annotated[int, Meta(ge=1, le=1000)] = 1
    trace_id: Label = ""
    parent_id: Label = ""
    names: dict[Name, Label] = {}
    """What to call ids of the event that are not known here: `{"team-7": "Search"}`."""


def _event_schema() -> dict[str, Any]:
    """JSON Schema of an event, without references so that it can stand anywhere."""
    schema = msgspec.json.schema(NativeEvent)
    definitions = schema["$defs"]

    def resolved(part: Any) -> Any:
        if isinstance(part, list):
            return [resolved(entry) for entry in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return resolved(definitions[part["$ref"].rpartition("/")[2]])
        return {name: resolved(value) for name, value in part.items() if name != "$defs"}

    return {**resolved(schema), "title": "UsageEvent"}


EVENT_SCHEMA: Final = _event_schema()
"""What `parse_events` takes as one event; it asks a little more, as that times are in range."""

_bodies: Final = Objects(NativeEvent)
_encoder: Final = msgspec.json.Encoder(decimal_format="number")


def parse_events(body: bytes, source: str = "native") -> list[UsageReport]:
    """Reports of events: a JSON array, one per line (NDJSON) or one alone.

    Invalid names the index of the event, blank lines not counted, and the field.
    """
    return [_report(event, position, source) for position, event in enumerate(_bodies.parse(body))]


def _report(event: NativeEvent, position: int, source: str) -> UsageReport:
    provider, mapping = _route(event, position)
    first_token_us = _microseconds(event.time_to_first_token_ms)
    return UsageReport(
        event_id=event.event_id,
        event_time_us=to_us(event.event_time),
        provider=provider,
        mapping=mapping,
        usage=_tokens(event.usage),
        project_id=event.project_id,
        api_key_id=event.api_key_id,
        user_id=event.user_id,
        end_user=event.end_user,
        app=event.app,
        operation=event.operation,
        status=event.status,
        usage_source=event.usage_source,
        duration_us=_microseconds(event.duration_ms),
        time_to_first_token_us=first_token_us,
        reported_cost_pusd=_pusd(event.reported_cost, position),
        price_context=event.price_context,
        groups=tuple(event.groups),
        is_stream=is_streamed(
            None if event.is_stream is msgspec.UNSET else event.is_stream, first_token_us
        ),
        http_status=event.http_status,
        error_code=event.error_code,
        response_id=event.response_id,
        response_model=event.response_model,
        meters=event.meters,
        unread=tuple(event.unread),
        session_id=event.session_id,
        tags=event.tags,
        provider_batch_id=event.provider_batch_id,
        attempt=event.attempt,
        trace_id=event.trace_id,
        parent_id=event.parent_id,
        names=event.names,
        source=source,
    )


def _route(event: NativeEvent, position: int) -> tuple[str, str]:
    """Provider and mapping. The provider goes by its one name; the model stands as it is called."""
    prefix, slash, rest = event.model.partition("/")
    provider = find_provider(event.provider or (prefix if slash else ""))
    if not provider:
        raise Invalid(
            f"`$[{position}].model` is {event.model!r}, without a provider. Write openai/gpt-5.5 "
            "or add the field `provider`.",
            code="invalid-event",
            field=f"$[{position}].model",
        )
    if slash and find_provider(prefix) != provider:
        return provider, event.model  # another's model, as resellers name it
    return provider, f"{provider}/{rest if slash else event.model}"


def render_events(reports: Sequence[UsageReport]) -> bytes:
    """The JSON array that `parse_events` reads back as the same reports."""
    return _encoder.encode([_event(report) for report in reports])


def _event(report: UsageReport) -> NativeEvent:
    usage = report.usage
    cost = report.reported_cost_pusd
    return NativeEvent(
        event_id=report.event_id,
        event_time=from_us(report.event_time_us),
        model=report.mapping,
        provider=report.provider,
        usage=None if usage is None else NativeTokens(*usage),
        project_id=report.project_id,
        api_key_id=report.api_key_id,
        user_id=report.user_id,
        end_user=report.end_user,
        app=report.app,
        operation=report.operation,
        status=report.status,
        usage_source=report.usage_source,
        duration_ms=_milliseconds(report.duration_us),
        time_to_first_token_ms=_milliseconds(report.time_to_first_token_us),
        reported_cost=None if cost is None else Decimal(render_usd(cost)),
        price_context=dict(report.price_context),
        groups=list(report.groups),
        is_stream=(
            msgspec.UNSET
            if report.is_stream == is_streamed(None, report.time_to_first_token_us)
            else report.is_stream
        ),
        http_status=report.http_status,
        error_code=report.error_code,
        response_id=report.response_id,
        response_model=report.response_model,
        meters=dict(report.meters),
        unread=list(report.unread),
        session_id=report.session_id,
        tags=dict(report.tags),
        provider_batch_id=report.provider_batch_id,
        attempt=report.attempt,
        trace_id=report.trace_id,
        parent_id=report.parent_id,
        names=dict(report.names),
    )


def _milliseconds(us: int | None) -> float | None:
    return None if us is None else us / 1000


def _tokens(tokens: NativeTokens | None) -> TokenUsage | None:
    if tokens is None:
        return None
    return TokenUsage(
        tokens.input_tokens,
        tokens.output_tokens,
        tokens.cache_read_input_tokens,
        tokens.cache_write_input_tokens,
        tokens.cache_write_1h_input_tokens,
        tokens.reasoning_output_tokens,
    )


def _microseconds(milliseconds: float | None) -> int | None:
    return None if milliseconds is None else round(milliseconds * 1000)


def _pusd(cost: Decimal | None, position: int) -> int | None:
    if cost is None:
        return None
    pusd = pusd_of(cost)
    if pusd is None:
        field = f"$[{position}].reportedCost"
        raise Invalid(
            f"`{field}` must be between 0 and 9000000 USD.", code="invalid-event", field=field
        )
    return pusd

"""Outlay's own usage event format: parses strict JSON into reports.

Money is a decimal number or string in USD, times are RFC 3339 with an offset, durations are
milliseconds. Unknown fields are refused, so that a misspelt one is not lost silently.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Annotated, Any, Final, get_type_hints

import msgspec
from msgspec import Meta

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.event import MAX_TEXT, UsageSource
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
"""Maximum number of groups per event."""
MAX_TAGS: Final = 100
"""Maximum number of tags per event."""
MAX_UNREAD: Final = 50
"""Maximum number of unknown counters per event."""

Count = Annotated[int, Meta(ge=0, le=MAX_TOKENS)]
Quantity = Annotated[int, Meta(ge=0, le=MAX_QUANTITY)]
Label = Annotated[str, Meta(max_length=MAX_TEXT, pattern=r"^[^\x00-\x1f]*$")]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT, pattern=r"^[^\x00-\x1f]*$")]
Milliseconds = Annotated[float, Meta(ge=0, le=MAX_DURATION_US / 1000)]


class NativeTokens(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Token counts; cached and reasoning tokens are included in the totals."""

    input_tokens: Count
    output_tokens: Count
    cache_read_input_tokens: Count = 0
    cache_write_input_tokens: Count = 0
    cache_write_1h_input_tokens: Count = msgspec.field(default=0, name="cacheWrite1hInputTokens")
    reasoning_output_tokens: Count = 0


class ConvertedFields(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The fields whose wire format differs from the report."""

    event_time: Annotated[datetime, Meta(tz=True)]
    model: Name
    """With the provider as prefix, `openai/gpt-5.5`, unless `provider` is given."""
    provider: Label = ""
    usage: NativeTokens | None = None
    usage_source: UsageSource = UsageSource.REPORTED
    duration_ms: Milliseconds | None = None
    time_to_first_token_ms: Milliseconds | None = None
    reported_cost: Decimal | None = None
    is_stream: bool | msgspec.UnsetType = msgspec.UNSET
    """If omitted, an event with a time to first token counts as streamed."""


_RENAMED: Final = {
    "event_time": "event_time_us",
    "model": "mapping",
    "duration_ms": "duration_us",
    "time_to_first_token_ms": "time_to_first_token_us",
    "reported_cost": "reported_cost_pusd",
}
"""Fields with a different name in the report, because of a different unit."""

_KINDS: Final[Mapping[Any, Any]] = {
    str: Label,
    tuple[str, ...]: tuple[Name, ...],
    Mapping[str, str]: dict[Name, Label],
    Mapping[str, int]: dict[Name, Quantity],
}
"""Constraints by the type of a field."""

_BOUNDS: Final[Mapping[str, Any]] = {
    "event_id": Name,
    "operation": Name,
    "groups": Annotated[tuple[Name, ...], Meta(max_length=MAX_GROUPS)],
    "http_status": Annotated[int, Meta(ge=100, le=599)] | None,
    "unread": Annotated[tuple[Name, ...], Meta(max_length=MAX_UNREAD)],
    "tags": Annotated[dict[Name, Label], Meta(max_length=MAX_TAGS)],
    "attempt": Annotated[int, Meta(ge=1, le=1000)],
}
"""Additional constraints of single fields."""


def _same_fields() -> Iterator[tuple[str, Any] | tuple[str, Any, Any]]:
    """The fields with the same format as in the report: name, type and default."""
    kinds = get_type_hints(UsageReport)
    converted = {*ConvertedFields.__struct_fields__, *_RENAMED.values()}
    for field in fields(UsageReport):
        if field.name in converted or field.name == "source":  # set by the reader of the event
            continue
        kind = _BOUNDS.get(field.name, _KINDS.get(kinds[field.name], kinds[field.name]))
        if field.default_factory is not MISSING:
            yield field.name, kind, msgspec.field(default_factory=dict)
        elif field.default is not MISSING:
            yield field.name, kind, field.default
        else:
            yield field.name, kind


_SAME: Final = tuple(_same_fields())
_NAMES: Final = tuple(name for name, *_ in _SAME)
_values_of = attrgetter(*_NAMES)

NativeEvent: Final[type[ConvertedFields]] = msgspec.defstruct(  # type: ignore[assignment]  # typed as a bare Struct
    "NativeEvent",
    _SAME,
    bases=(ConvertedFields,),
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename="camel",
    namespace={"__doc__": "One request as an ingest client reports it."},
)
"""One request as an ingest client reports it: the fields of a `UsageReport`."""


def _event_schema() -> dict[str, Any]:
    """JSON Schema of an event, without references, so that it can be used anywhere."""
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
"""What `parse_events` accepts as one event; it also checks more than a schema can, such as time
ranges."""

_bodies: Final = Objects(NativeEvent)
_encoder: Final = msgspec.json.Encoder(decimal_format="number")


def parse_events(body: bytes, source: str = "native") -> list[UsageReport]:
    """Reports of events: a JSON array, one object per line (NDJSON), or a single object.

    Raises Invalid with the index of the event, not counting blank lines, and the field.
    """
    return [_report(event, position, source) for position, event in enumerate(_bodies.parse(body))]


def _report(event: ConvertedFields, position: int, source: str) -> UsageReport:
    values = msgspec.structs.asdict(event)
    for name in _RENAMED:
        del values[name]
    values["event_time_us"] = to_us(event.event_time)
    values["provider"], values["mapping"] = _route(event, position)
    values["usage"] = _tokens(event.usage)
    values["duration_us"] = _microseconds(event.duration_ms)
    values["time_to_first_token_us"] = first = _microseconds(event.time_to_first_token_ms)
    values["reported_cost_pusd"] = _pusd(event.reported_cost, position)
    if event.is_stream is msgspec.UNSET:
        values["is_stream"] = is_streamed(None, first)
    return UsageReport(**values, source=source)


def _route(event: ConvertedFields, position: int) -> tuple[str, str]:
    """Provider and mapping. The provider gets its normalised name; the model stays as it was
    sent."""
    prefix, slash, rest = event.model.partition("/")
    provider = find_provider(event.provider or (prefix if slash else ""))
    if not provider:
        raise Invalid(
            f"`$[{position}].model` is {event.model!r}, without a provider. Write openai/gpt-5.5 "
            "or add the field `provider`.",
            code=ErrorCode.INVALID_EVENT,
            field=f"$[{position}].model",
        )
    if slash and find_provider(prefix) != provider:
        return provider, event.model  # another provider's model, as resellers name it
    return provider, f"{provider}/{rest if slash else event.model}"


def render_events(reports: Sequence[UsageReport]) -> bytes:
    """The JSON array that `parse_events` parses back to the same reports."""
    return _encoder.encode([_event(report) for report in reports])


def _event(report: UsageReport) -> ConvertedFields:
    usage = report.usage
    cost = report.reported_cost_pusd
    implied = is_streamed(None, report.time_to_first_token_us)
    return NativeEvent(
        **dict(zip(_NAMES, _values_of(report), strict=True)),
        event_time=from_us(report.event_time_us),
        model=report.mapping,
        provider=report.provider,
        usage=None if usage is None else NativeTokens(*usage),
        usage_source=report.usage_source,
        duration_ms=_milliseconds(report.duration_us),
        time_to_first_token_ms=_milliseconds(report.time_to_first_token_us),
        reported_cost=None if cost is None else Decimal(render_usd(cost)),
        is_stream=msgspec.UNSET if report.is_stream == implied else report.is_stream,
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
            f"`{field}` must be between 0 and 9000000 USD.",
            code=ErrorCode.INVALID_EVENT,
            field=field,
        )
    return pusd

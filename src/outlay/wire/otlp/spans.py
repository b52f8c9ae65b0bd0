"""OTLP/HTTP trace bodies → spans, from protobuf and from JSON.

Source: opentelemetry-proto 1.x (`collector/trace/v1`, `trace/v1`, `common/v1`) and the OTLP
specification's JSON mapping: ids are hexadecimal, 64-bit integers are text, enumerations are
numbers, unknown fields are skipped.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.wire.answer import Fields, list_of, object_of, text_of

MAX_SPANS: Final = 20_000
"""Maximum number of spans in one body."""

MAX_DEPTH: Final = 20
"""Maximum nesting of attributes that are read."""

ERROR: Final = 2
"""The status code of a failed span."""

Value = str | bool | int | float | list[Any] | dict[str, Any] | None
Attributes = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Span:
    """One operation of a trace."""

    trace_id: str
    """Hexadecimal, like the other ids."""
    span_id: str
    parent_id: str
    """Empty for a root."""
    name: str
    start_ns: int
    """Since the epoch, UTC; so is the end."""
    end_ns: int
    attributes: Attributes
    """Its own attributes, which win over those of its resource."""
    is_error: bool
    scope: str = ""
    """The instrumentation library that created it."""

    @property
    def key(self) -> tuple[str, str]:
        """The unique key of the span."""
        return self.trace_id, self.span_id


def parse_protobuf(body: bytes) -> list[Span]:
    """The spans of an ExportTraceServiceRequest; raises Invalid if the body is not one."""
    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError as error:
        raise Invalid(
            f"The body is not an OTLP trace request in protobuf: {error}.",
            code=ErrorCode.MALFORMED_PROTOBUF,
        ) from error
    return _bounded(
        Span(
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            name=span.name,
            start_ns=span.start_time_unix_nano,
            end_ns=span.end_time_unix_nano,
            attributes={**shared, **_attributes(span.attributes)},
            is_error=span.status.code == ERROR,
            scope=scope.scope.name,
        )
        for resource in request.resource_spans
        for shared in [_attributes(resource.resource.attributes)]
        for scope in resource.scope_spans
        for span in scope.spans
    )


def parse_json(body: bytes) -> list[Span]:
    """The spans of the JSON form; raises Invalid with the span and the field if the body is
    malformed."""
    try:
        request = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(
            f"The body is not an OTLP trace request in JSON: {error}.",
            code=ErrorCode.MALFORMED_JSON,
        ) from error
    if not isinstance(request, dict):
        raise Invalid(
            "The body must be an object with `resourceSpans`.", code=ErrorCode.MALFORMED_JSON
        )
    return _bounded(_json_spans(request))


def render_answer(rejected: int, message: str, *, as_json: bool) -> bytes:
    """An ExportTraceServiceResponse; a message without rejected spans is a warning (OTLP)."""
    if as_json:
        partial = {"rejectedSpans": str(rejected), "errorMessage": message}
        return msgspec.json.encode({"partialSuccess": partial} if message else {})
    answer = ExportTraceServiceResponse()
    if message:
        answer.partial_success.rejected_spans = rejected
        answer.partial_success.error_message = message
    return bytes(answer.SerializeToString())


def _bounded(spans: Iterable[Span]) -> list[Span]:
    found: list[Span] = []
    for span in spans:
        if len(found) == MAX_SPANS:
            raise Invalid(f"A body can hold at most {MAX_SPANS:,} spans. Send smaller batches.")
        found.append(span)
    return found


def _attributes(pairs: Iterable[Any]) -> dict[str, Value]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any, depth: int = 0) -> Value:
    kind = value.WhichOneof("value")
    if kind is None or kind == "bytes_value" or depth > MAX_DEPTH:
        return None
    if kind == "array_value":
        return [_value(part, depth + 1) for part in value.array_value.values]
    if kind == "kvlist_value":
        return {part.key: _value(part.value, depth + 1) for part in value.kvlist_value.values}
    plain: Value = getattr(value, kind)
    return plain


def _json_spans(request: Fields) -> Iterator[Span]:
    index = 0
    for resource in _objects(request, "resourceSpans"):
        shared = _json_attributes(object_of(resource, "resource"))
        # Senders before OTLP 0.15 use instrumentationLibrarySpans.
        scopes = [
            (part, text_of(object_of(part, library).get("name")))
            for list_name, library in (
                ("scopeSpans", "scope"),
                ("instrumentationLibrarySpans", "instrumentationLibrary"),
            )
            for part in _objects(resource, list_name)
        ]
        for part, scope in scopes:
            for span in _objects(part, "spans"):
                yield _json_span(span, shared, scope, index)
                index += 1


def _json_span(span: Fields, shared: Attributes, scope: str, index: int) -> Span:
    return Span(
        trace_id=_json_id(span, "traceId", index),
        span_id=_json_id(span, "spanId", index),
        parent_id=_json_id(span, "parentSpanId", index) if span.get("parentSpanId") else "",
        name=str(span.get("name") or ""),
        start_ns=_json_integer(span, "startTimeUnixNano", index),
        end_ns=_json_integer(span, "endTimeUnixNano", index),
        attributes={**shared, **_json_attributes(span)},
        is_error=object_of(span, "status").get("code") in (ERROR, "STATUS_CODE_ERROR"),
        scope=scope,
    )


def _json_id(span: Fields, name: str, index: int) -> str:
    value = span.get(name)
    try:
        return bytes.fromhex(value if isinstance(value, str) else "-").hex()
    except ValueError as error:
        raise _wrong(index, name, f"hexadecimal digits, not {value!r}"[:200]) from error


def _json_integer(span: Fields, name: str, index: int) -> int:
    value = span.get(name, 0)
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise _wrong(index, name, f"a number of nanoseconds, not {value!r}"[:200]) from error
    if isinstance(value, bool) or not 0 <= number < 2**64:
        raise _wrong(index, name, f"a number of nanoseconds, not {value!r}"[:200])
    return number


def _wrong(index: int, name: str, message: str) -> Invalid:
    return Invalid(
        f"Span {index}: `{name}` must be {message}.", code=ErrorCode.INVALID_SPAN, field=name
    )


def _json_attributes(owner: Fields) -> dict[str, Value]:
    return {
        key: _json_value(pair.get("value"))
        for pair in _objects(owner, "attributes")
        if isinstance(key := pair.get("key"), str)
    }


def _json_value(value: Any, depth: int = 0) -> Value:
    if not isinstance(value, dict) or depth > MAX_DEPTH:
        return None
    if isinstance(text := value.get("stringValue"), str):
        return text
    if isinstance(flag := value.get("boolValue"), bool):
        return flag
    if "intValue" in value:
        return _integer(value["intValue"])
    if "doubleValue" in value:
        return _double(value["doubleValue"])
    if "arrayValue" in value:
        parts = list_of(object_of(value, "arrayValue"), "values")
        return [_json_value(part, depth + 1) for part in parts]
    pairs = list_of(object_of(value, "kvlistValue"), "values")
    return {
        str(pair.get("key")): _json_value(pair.get("value"), depth + 1)
        for pair in pairs
        if isinstance(pair, dict)
    }


def _integer(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return int(value)
    except ValueError:
        return None


def _double(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and abs(value) < 2**63 else None


def _objects(owner: Fields, name: str) -> list[Fields]:
    """A list of objects; empty if it is missing, raises Invalid for anything else."""
    found = owner.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(part, dict) for part in found):
        raise Invalid(
            f"`{name}` must be a list of objects.", code=ErrorCode.INVALID_SPAN, field=name
        )
    return found

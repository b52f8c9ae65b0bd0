"""`POST /v1/traces`: OpenTelemetry traces over OTLP/HTTP, in protobuf or JSON."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.web.http.answers.ingest import TraceAcknowledgement
from outlay.web.http.auth import RECORDS_USAGE, services_of
from outlay.web.http.body import read_body
from outlay.web.http.routes import Router
from outlay.wire.otlp.spans import Span, parse_json, parse_protobuf, render_answer

router = Router(tags=["ingest"])

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
_PARSERS: Final[Mapping[str, Callable[[bytes], Sequence[Span]]]] = {
    PROTOBUF: parse_protobuf,
    JSON: parse_json,
}
_REQUEST_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        JSON: {
            "schema": {
                "type": "object",
                "description": "ExportTraceServiceRequest in OTLP's JSON mapping.",
                "properties": {
                    "resourceSpans": {"type": ["array", "null"], "items": {"type": "object"}}
                },
            }
        },
        PROTOBUF: {"schema": {"type": "string", "format": "binary"}},
    },
}


@router.post("/api/public/otel/v1/traces", include_in_schema=False)  # Langfuse's SDK sends there
@router.post(
    "/v1/traces",
    openapi_extra={"requestBody": _REQUEST_BODY},
    responses={200: {"content": {PROTOBUF: {"schema": {"type": "string", "format": "binary"}}}}},
)
async def post_traces(
    request: Request, actor: Annotated[Actor, Depends(RECORDS_USAGE)]
) -> Annotated[Response, TraceAcknowledgement]:
    """Record the model calls among the spans of traces; all other spans are skipped.

    If several spans describe one call, the innermost counts. Spans that cannot be recorded, for
    example with a time in the future, are rejected in a partial success, as OTLP defines it.
    Skipped spans with tokens that no call below them explains are reported there as a warning.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    parse = _PARSERS.get(media_type)
    if parse is None:
        raise Invalid(
            f"Content-Type {media_type!r} is not supported. Send {PROTOBUF} or {JSON} "
            "(OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf).",
            code=ErrorCode.UNKNOWN_MEDIA_TYPE,
        )
    tracing = services_of(request).tracing
    body = await read_body(request)

    def record() -> bytes:
        rejected, reason = tracing.record(actor.organization_id, parse(body))
        return render_answer(rejected, reason, as_json=media_type == JSON)

    return Response(await run_in_threadpool(record), media_type=media_type)

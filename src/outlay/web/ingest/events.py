"""`POST /v1/usage/events`: usage from anywhere, acknowledged once it is on disk."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Final

import msgspec
from fastapi import Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.outcome import Outcome
from outlay.domain.usage_report import UsageReport
from outlay.web.http.answers.ingest import Acknowledgement, EventResult
from outlay.web.http.auth import RECORDS_USAGE, services_of
from outlay.web.http.body import read_body
from outlay.web.http.openapi import json_body
from outlay.web.http.routes import Router
from outlay.web.http.schemas import reference_to
from outlay.wire.bodies import MAX_EVENTS
from outlay.wire.native import parse_events

router = Router(tags=["ingest"])

_EVENT: Final = {"$ref": "#/components/schemas/UsageEvent"}
_EVENTS: Final = {"anyOf": [{"type": "array", "maxItems": MAX_EVENTS, "items": _EVENT}, _EVENT]}


@router.post(
    "/v1/usage/events",
    openapi_extra={"requestBody": json_body(_EVENTS)},
    responses={
        409: {
            "description": "Some events conflict with recorded ones.",
            "content": {"application/json": {"schema": reference_to((Acknowledgement,))}},
        }
    },
)
async def post_events(
    request: Request, actor: Annotated[Actor, Depends(RECORDS_USAGE)]
) -> Annotated[Response, Acknowledgement]:
    """Record events: a JSON array, one event per line (NDJSON), or a single one; gzip is accepted.

    Each event is accepted, a duplicate, or a conflict (its id was used for other content).

    Nothing is stored if any event is malformed. With a conflict the status is 409, and the other
    events are stored; the results have the outcome of each event.
    """
    return outcome_response(*await record_body(request, actor, parse_events))


async def record_body(
    request: Request, actor: Actor, parse: Callable[[bytes], Sequence[UsageReport]]
) -> tuple[Sequence[UsageReport], list[Outcome]]:
    """Record a body, completely or not at all; returns once it is on disk."""
    recorder = services_of(request).recorder
    body = await read_body(request)

    def record() -> tuple[Sequence[UsageReport], list[Outcome]]:
        reports = parse(body)
        return reports, recorder.record(actor.organization_id, reports)

    return await run_in_threadpool(record)


def outcome_response(
    reports: Sequence[UsageReport], outcomes: Sequence[Outcome], conflict_status: int = 409
) -> Response:
    """The outcome of each event."""
    counts = Counter(outcomes)
    body = Acknowledgement(
        **{outcome.value: counts[outcome] for outcome in Outcome},
        results=[
            EventResult(event_id=report.event_id, outcome=outcome)
            for report, outcome in zip(reports, outcomes, strict=True)
        ],
    )
    status = conflict_status if counts[Outcome.CONFLICT] else 200
    return Response(msgspec.json.encode(body), status, media_type="application/json")

"""`GET /analytics/health`: how fresh, complete and certain the numbers of a period are."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.answers import Totals
from outlay.domain.freshness import Freshness
from outlay.domain.measure import MEASURES
from outlay.domain.period import Interval
from outlay.domain.policy import Permission
from outlay.domain.query import CORE_MEASURES, QUALITY_MEASURES
from outlay.kit.clock import from_us
from outlay.services.analytics.data_quality import MissingParts, UnreadCounters
from outlay.services.recording.skipped_telemetry import SkippedCount
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.params import AS_JSON, COMMON, check_names, read_query
from outlay.web.http.query_parameters import documented
from outlay.web.http.rendering import (
    Json,
    json_answer,
    render_instant,
    render_meta,
    render_totals,
)
from outlay.web.http.routes import Router

router = Router(tags=["analytics"])

HEALTH: Final = COMMON | AS_JSON

_DOUBTS: Final = tuple(
    measure
    for measure in MEASURES
    if measure.name in QUALITY_MEASURES and measure.name not in CORE_MEASURES
)


@router.get("/analytics/health", openapi_extra=documented(HEALTH))
def get_health(
    request: Request, actor: Annotated[Actor, Depends(Requires(Permission.ORGANIZATION_USAGE))]
) -> Response:
    """How fresh and how certain the numbers of a period are, and what is doubtful, by name.

    `unpricedParts` and `unreadCounters` are read from single requests, the newest first: where
    there are too many, `readFrom` is the instant from which on they were looked at.
    """
    services = services_of(request)
    params = request.query_params
    check_names(params, HEALTH)
    query = read_query(params, actor, services.analytics, group_by=None)
    query = replace(query, interval=Interval.TOTAL)
    with services.analytics.read() as reader:
        freshness = services.analytics.freshness(reader)
        total = services.analytics.breakdown_in(reader, query).total
        unpriced = services.analytics.unpriced_in(reader, query)
        missing = services.doubts.missing_parts(reader, query)
        unread = services.doubts.unread_counters(reader, query)
    passed = services.skipped_telemetry
    return json_answer(
        request,
        {
            "freshness": {
                "asOf": render_instant(freshness.data_through),
                "pendingEventCount": freshness.pending_events,
                "failure": freshness.failure,
            },
            "quality": _quality(total),
            "unpricedModels": [{"mapping": key, "requestCount": count} for key, count in unpriced],
            "unpricedParts": _missing(missing),
            "unreadCounters": _unread(unread),
            "passedOver": {
                "since": render_instant(from_us(passed.since_us)),
                "spans": _passed(passed.counts(actor.organization_id)),
            },
            "reconciliation": _reconciliation(freshness),
            "totals": render_totals(total, QUALITY_MEASURES),
            "meta": render_meta(query, total, freshness),
        },
    )


def _quality(total: Totals) -> Json:
    return {
        measure.api_name: {
            "count": getattr(total, measure.name),
            "share": getattr(total, measure.name) / total.requests if total.requests else None,
        }
        for measure in _DOUBTS
    }


def _missing(found: MissingParts) -> Json:
    return {
        "parts": [
            {
                "name": part.name,
                "kind": part.kind.value,
                "title": part.title,
                "requestCount": part.requests,
            }
            for part in found.parts
        ],
        "readFrom": found.read_from and render_instant(found.read_from),
    }


def _unread(found: UnreadCounters) -> Json:
    return {
        "counters": [
            {
                "provider": counter.provider,
                "name": counter.name,
                "requestCount": counter.requests,
                "firstSeen": render_instant(counter.first),
                "lastSeen": render_instant(counter.last),
            }
            for counter in found.counters
        ],
        "readFrom": found.read_from and render_instant(found.read_from),
    }


def _passed(counts: Sequence[SkippedCount]) -> list[Json]:
    return [
        {
            "reason": one.kind.reason.value,
            "isLoss": one.kind.reason.is_loss,
            "instrumentation": one.kind.instrumentation or None,
            "operation": one.kind.operation or None,
            "count": one.count,
            "firstSeen": render_instant(from_us(one.first_us)),
            "lastSeen": render_instant(from_us(one.last_us)),
        }
        for one in counts
    ]


def _reconciliation(freshness: Freshness) -> Json:
    verified = freshness.verified
    return {
        "state": verified.state.value,
        "at": verified.at and render_instant(verified.at),
        "through": verified.through and render_instant(verified.through),
    }

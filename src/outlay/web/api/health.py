"""`GET /api/v1/analytics/health`: how fresh, complete and certain the numbers of a period are."""

from dataclasses import replace
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.answers import Totals
from outlay.domain.period import Interval
from outlay.domain.policy import Permission
from outlay.domain.verification import Verified
from outlay.kit.clock import from_us
from outlay.services.analytics.data_quality import MissingParts, UnreadCounters
from outlay.services.recording.skipped_telemetry import SkippedCount
from outlay.web.http.answers.health import (
    FreshnessAnswer,
    Health,
    Quality,
    SkippedSpans,
    SkippedTelemetry,
    UncertainCount,
    UnpricedMapping,
    UnpricedPart,
    UnpricedParts,
    UnreadCounterAnswer,
    UnreadCountersAnswer,
    Verification,
)
from outlay.web.http.answers.measures import QualityTotals, measured
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.rendering import render_instant, render_instant_if_any, render_meta
from outlay.web.http.routes import Router
from outlay.web.http.usage_params import (
    TableParams,
)

router = Router(tags=["analytics"])


@router.get("/analytics/health")
def get_health(
    request: Request,
    actor: Annotated[Actor, Depends(Requires(Permission.ORGANIZATION_USAGE))],
    asked: Annotated[TableParams, Depends(TableParams.of)],
) -> Health:
    """How fresh and certain the numbers of a period are, and what makes them uncertain, in detail.

    `unpricedParts` and `unreadCounters` are read from single requests, newest first. If there are
    too many, `readFrom` is the time of the oldest request that was read.
    """
    services = services_of(request)
    query = replace(asked.query(actor, services.analytics), interval=Interval.TOTAL)
    with services.analytics.read() as reader:
        freshness = services.analytics.freshness(reader)
        total = services.analytics.breakdown_in(reader, query).total
        unpriced = services.analytics.unpriced_in(reader, query)
        missing = services.data_quality.missing_parts(reader, query)
        unread = services.data_quality.unread_counters(reader, query)
    skipped = services.skipped_telemetry
    return Health(
        freshness=FreshnessAnswer(
            as_of=render_instant(freshness.data_through),
            pending_event_count=freshness.pending_events,
            failure=freshness.failure,
        ),
        quality=_quality(total),
        unpriced_models=[
            UnpricedMapping(mapping=key, request_count=count) for key, count in unpriced
        ],
        unpriced_parts=_missing(missing),
        unread_counters=_unread(unread),
        passed_over=SkippedTelemetry(
            since=render_instant(from_us(skipped.since_us)),
            spans=[_spans(one) for one in skipped.counts(actor.organization_id)],
        ),
        reconciliation=_verification(freshness.verified),
        totals=measured(QualityTotals, total),
        meta=render_meta(query, total, freshness),
    )


def _quality(total: Totals) -> Quality:
    def counted(count: int) -> UncertainCount:
        return UncertainCount(count=count, share=count / total.requests if total.requests else None)

    return Quality(
        unpriced_request_count=counted(total.unpriced_requests),
        partly_priced_request_count=counted(total.partly_priced_requests),
        estimated_request_count=counted(total.estimated_requests),
        unknown_usage_request_count=counted(total.unknown_usage_requests),
        adjusted_request_count=counted(total.adjusted_requests),
    )


def _missing(found: MissingParts) -> UnpricedParts:
    return UnpricedParts(
        parts=[
            UnpricedPart(
                name=part.name, kind=part.kind, title=part.title, request_count=part.requests
            )
            for part in found.parts
        ],
        read_from=render_instant_if_any(found.read_from),
    )


def _unread(found: UnreadCounters) -> UnreadCountersAnswer:
    return UnreadCountersAnswer(
        counters=[
            UnreadCounterAnswer(
                provider=counter.provider,
                name=counter.name,
                request_count=counter.requests,
                first_seen=render_instant(counter.first),
                last_seen=render_instant(counter.last),
            )
            for counter in found.counters
        ],
        read_from=render_instant_if_any(found.read_from),
    )


def _spans(found: SkippedCount) -> SkippedSpans:
    return SkippedSpans(
        reason=found.kind.reason,
        is_loss=found.kind.reason.is_loss,
        instrumentation=found.kind.instrumentation or None,
        operation=found.kind.operation or None,
        count=found.count,
        first_seen=render_instant(from_us(found.first_us)),
        last_seen=render_instant(from_us(found.last_us)),
    )


def _verification(verified: Verified) -> Verification:
    return Verification(
        state=verified.state,
        at=render_instant_if_any(verified.at),
        through=render_instant_if_any(verified.through),
    )

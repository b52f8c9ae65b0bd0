"""How fresh, complete and certain numbers are."""

from outlay.domain.verification import VerificationState
from outlay.services.analytics.data_quality import PartKind
from outlay.services.recording.skipped_telemetry import Reason
from outlay.web.http.answers.base import Answer, Instant
from outlay.web.http.answers.measures import QualityTotals
from outlay.web.http.answers.periods import Meta


class FreshnessAnswer(Answer):
    """The numbers include all events up to `asOf`; `failure` says why loading has stopped."""

    as_of: Instant
    pending_event_count: int
    failure: str | None


class UncertainCount(Answer):
    """Requests with less certain numbers, and their share of all requests."""

    count: int
    share: float | None


class Quality(Answer):
    """Less certain requests by kind."""

    unpriced_request_count: UncertainCount
    partly_priced_request_count: UncertainCount
    estimated_request_count: UncertainCount
    unknown_usage_request_count: UncertainCount
    adjusted_request_count: UncertainCount


class UnpricedMapping(Answer):
    """A route without a price."""

    mapping: str
    request_count: int


class UnpricedPart(Answer):
    """A meter, counter or context without a price."""

    name: str
    kind: PartKind
    title: str
    request_count: int


class UnpricedParts(Answer):
    """Requests from `readFrom` on were read; all of them if it is null."""

    parts: list[UnpricedPart]
    read_from: Instant | None


class UnreadCounterAnswer(Answer):
    """A provider's counter that Outlay does not know."""

    provider: str
    name: str
    request_count: int
    first_seen: Instant
    last_seen: Instant


class UnreadCountersAnswer(Answer):
    """Requests from `readFrom` on were read; all of them if it is null."""

    counters: list[UnreadCounterAnswer]
    read_from: Instant | None


class SkippedSpans(Answer):
    """Spans of traces that were not recorded as requests, by reason."""

    reason: Reason
    is_loss: bool
    instrumentation: str | None
    operation: str | None
    count: int
    first_seen: Instant
    last_seen: Instant


class SkippedTelemetry(Answer):
    """Spans that were not recorded since this server started."""

    since: Instant
    spans: list[SkippedSpans]


class Verification(Answer):
    """The last comparison of the cube with the ledger."""

    state: VerificationState
    at: Instant | None
    through: Instant | None


class Health(Answer):
    """How fresh and certain the numbers of a period are, and what makes them uncertain."""

    freshness: FreshnessAnswer
    quality: Quality
    unpriced_models: list[UnpricedMapping]
    unpriced_parts: UnpricedParts
    unread_counters: UnreadCountersAnswer
    passed_over: SkippedTelemetry
    reconciliation: Verification
    totals: QualityTotals
    meta: Meta

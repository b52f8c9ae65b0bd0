"""Acknowledgements of recorded events."""

from msgspec import UNSET, UnsetType

from outlay.domain.outcome import Outcome
from outlay.web.http.answers.base import Answer


class EventResult(Answer):
    """The outcome of one event."""

    event_id: str
    outcome: Outcome


class Acknowledgement(Answer):
    """How many events were recorded, known already, or in conflict with what is on record."""

    accepted: int
    duplicate: int
    conflict: int
    results: list[EventResult]


class PartialSuccess(Answer):
    """Spans that could not be recorded, and why; or a warning, with no rejected span."""

    rejected_spans: str | UnsetType = UNSET
    error_message: str | UnsetType = UNSET


class TraceAcknowledgement(Answer):
    """ExportTraceServiceResponse of OTLP."""

    partial_success: PartialSuccess | UnsetType = UNSET

"""Acknowledgements of recorded events."""

from msgspec import UNSET, UnsetType

from outlay.domain.outcome import Outcome
from outlay.web.http.answers.base import Answer


class EventResult(Answer):
    """The outcome of one event."""

    event_id: str
    outcome: Outcome


class Acknowledgement(Answer):
    """The number of events that were recorded, already known, or in conflict with recorded ones."""

    accepted: int
    duplicate: int
    conflict: int
    results: list[EventResult]


class PartialSuccess(Answer):
    """The spans that could not be recorded, and why; or a warning without rejected spans."""

    rejected_spans: str | UnsetType = UNSET
    error_message: str | UnsetType = UNSET


class TraceAcknowledgement(Answer):
    """ExportTraceServiceResponse of OTLP."""

    partial_success: PartialSuccess | UnsetType = UNSET

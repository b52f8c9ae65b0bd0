"""Acknowledgements of recorded events."""

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

"""The history of a request since it was recorded: amendments and other reports of its response."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from outlay.domain.amendment import root_of
from outlay.domain.event import Amendment
from outlay.kit.clock import from_us
from outlay.services.analytics.request_log import LoggedRequest
from outlay.storage.ledger.log import LoggedEvent
from outlay.web.dashboard.dates import describe_date
from outlay.web.dashboard.parts.log_lines import cost_of


@dataclass(frozen=True, slots=True)
class HistoryChange:
    """An amendment, for display."""

    time: str
    text: str


@dataclass(frozen=True, slots=True)
class OtherReport:
    """A request that counts instead of this one, or in addition."""

    event_id: str
    text: str


@dataclass(frozen=True, slots=True)
class History:
    """The history of a request."""

    note: str
    """Why it does not count; empty if it does."""
    changes: Sequence[HistoryChange]
    reports: Sequence[OtherReport]


def history_of(found: LoggedRequest, zone: tzinfo | None) -> History:
    """The amendments of a request, in words."""
    changes: list[HistoryChange] = []
    previous = found.history[0]
    for entry in found.history[1:]:
        if entry.event.amendment == Amendment.RESTATE:
            changes.append(HistoryChange(_time(entry, zone), _restated(previous, entry)))
            previous = entry
    if not found.is_counted:
        taken_back = found.history[-1]
        if taken_back.event.amendment == Amendment.VOID:
            text = "Removed: another report of the same response is counted."
            changes.append(HistoryChange(_time(taken_back, zone), text))
    return History(
        note="" if found.is_counted else _note(found),
        changes=changes,
        reports=[
            OtherReport(root_of(event.event_id), f"{event.source}, {cost_of(event)}")
            for event in found.counted
        ],
    )


def _restated(before: LoggedEvent, after: LoggedEvent) -> str:
    return f"Repriced: {cost_of(after.event)} instead of {cost_of(before.event)}."


def _note(found: LoggedRequest) -> str:
    if found.counted:
        return "This report is not counted. The response is counted by the request below."
    return "This report is not counted."


def _time(entry: LoggedEvent, zone: tzinfo | None) -> str:
    local = from_us(entry.recorded_at_us).astimezone(zone)
    return f"{describe_date(local.date())}, {local:%H:%M}"

"""Finding and merging possible duplicates, which have no common id."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from outlay.domain.actor import Actor
from outlay.domain.amendment import root_of, standing, voided
from outlay.domain.audit import Action
from outlay.domain.duplicate import Candidate, Duplicate, find_duplicates, may_be_duplicate
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Conflict, Invalid, NotFound
from outlay.domain.event import UsageEvent
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.outcome import Outcome
from outlay.domain.policy import Permission, permit
from outlay.kit.clock import Clock, in_us, to_us
from outlay.kit.ids import new_id
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.storage.ledger.store import Ledger

LOOK_BACK: Final = timedelta(days=7)
KEPT: Final = timedelta(minutes=1)
"""How long a result is cached."""
MAX_SHOWN: Final = 200
MAX_MERGED: Final = 200
"""Maximum number of pairs per merge."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two requests to be merged: their reported ids."""

    kept: EventId
    dropped: EventId


class Duplicates:
    """Finds and merges possible duplicates of an organization."""

    def __init__(self, audited: AuditedChanges, ledger: Ledger, clock: Clock) -> None:
        self._audited = audited
        self._ledger = ledger
        self._clock = clock
        self._merging = threading.Lock()
        self._recent: dict[str, tuple[int, Sequence[Duplicate]]] = {}

    def recent(self, organization_id: OrganizationId) -> Sequence[Duplicate]:
        """Like `list_for`, but searched at most once a minute, because it reads a week of
        requests.
        """
        now_us = to_us(self._clock.now())
        at_us, found = self._recent.get(organization_id, (0, ()))
        if now_us - at_us >= in_us(KEPT):
            found = self.list_for(organization_id)
            self._recent[organization_id] = (now_us, found)
        return found

    def list_for(self, organization_id: OrganizationId) -> Sequence[Duplicate]:
        """Possible duplicates of the last week, newest first, up to MAX_SHOWN."""
        now_us = to_us(self._clock.now())
        found = self._ledger.read_alike(
            organization_id, now_us - in_us(LOOK_BACK), now_us + 1, self._ledger.newest_seq()
        )
        duplicates = sorted(
            find_duplicates(found), key=lambda duplicate: -duplicate.kept.event_time_us
        )
        return duplicates[:MAX_SHOWN]

    def merge(self, actor: Actor, pairs: Sequence[Pair]) -> int:
        """Merge each pair: only the first request counts; returns the number of merged pairs.

        The second is voided, and recorded as a report of the first. Raises Invalid for requests
        that do not match, NotFound for unknown ones, Conflict for ones that do not count any more;
        nothing is merged then.
        """
        permit(actor, Permission.REQUESTS_AMEND)
        if not 1 <= len(pairs) <= MAX_MERGED:
            raise Invalid(f"`pairs` must have 1 to {MAX_MERGED} pairs.", field="pairs")
        dropped = [pair.dropped for pair in pairs]
        if len({*dropped, *(pair.kept for pair in pairs)}) < len(pairs) * 2:
            raise Invalid("Each request can be in only one pair.", field="pairs")
        amendment_id = new_id("mrg")
        # otherwise both requests of a pair could be voided in favour of each other
        with self._merging:
            rows = [
                voided(self._dropped(actor.organization_id, pair, f"pairs[{number}]"), amendment_id)
                for number, pair in enumerate(pairs)
            ]
            with self._audited.change(actor, Permission.REQUESTS_AMEND) as change:
                change.note(
                    Action.REQUEST_MERGE, amendment_id, after={"dropped": [*map(str, dropped)]}
                )
            outcomes = self._ledger.append(rows)
            self._recent.pop(actor.organization_id, None)
        merged = outcomes.count(Outcome.ACCEPTED)
        if merged < len(rows):
            raise Conflict(
                f"{len(rows) - merged} of {len(rows)} pairs were amended in the meantime and were "
                "not merged. Reload the duplicates.",
                code=ErrorCode.AMENDED_MEANWHILE,
            )
        return merged

    def _dropped(self, organization_id: OrganizationId, pair: Pair, field: str) -> UsageEvent:
        kept = self._standing(organization_id, pair.kept, f"{field}.kept")
        dropped = self._standing(organization_id, pair.dropped, f"{field}.dropped")
        if not may_be_duplicate(_candidate(kept), _candidate(dropped)):
            raise Invalid(
                f"{pair.kept} and {pair.dropped} do not match. Duplicates come from two sources "
                "at about the same time with the same model and tokens.",
                code=ErrorCode.NOT_ALIKE,
                field=field,
            )
        return dropped

    def _standing(
        self, organization_id: OrganizationId, event_id: EventId, field: str
    ) -> UsageEvent:
        history = self._ledger.read_rows(organization_id, event_id)
        if not history:
            raise NotFound("There is no such request.", field=field)
        found = standing(history)
        if not found:
            raise Conflict(
                f"The request {event_id} is not counted.", code=ErrorCode.NOT_COUNTED, field=field
            )
        return found[0]


def _candidate(event: UsageEvent) -> Candidate:
    return Candidate(
        event.model,
        event.input_tokens,
        event.output_tokens,
        event.event_time_us,
        0,
        root_of(event.event_id),
        event.source,
        event.provider,
        event.response_id,
        event.cost_pusd,
    )

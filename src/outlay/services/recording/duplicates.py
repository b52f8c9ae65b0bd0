"""Requests that were probably reported twice, where no id says so: found and merged."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from outlay.domain.actor import Actor
from outlay.domain.amendment import root_of, standing, voided
from outlay.domain.audit import Action
from outlay.domain.duplicate import Candidate, Double, find_doubles, may_be_double
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Conflict, Invalid, NotFound
from outlay.domain.event import UsageEvent
from outlay.domain.ids import OrganizationId
from outlay.domain.outcome import Outcome
from outlay.domain.policy import Permission, permit
from outlay.kit.clock import Clock, in_us, to_us
from outlay.kit.ids import new_id
from outlay.services.directory.changes import Trail
from outlay.storage.ledger.store import Ledger

LOOK_BACK: Final = timedelta(days=7)
KEPT: Final = timedelta(minutes=1)
"""How long what was found is shown."""
MAX_SHOWN: Final = 200
MAX_MERGED: Final = 200
"""Pairs that one change merges."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two requests that are to count as one: the ids that they were reported with."""

    kept: str
    dropped: str


class Doubles:
    """Finds and merges what an actor's organization counts twice."""

    def __init__(self, trail: Trail, ledger: Ledger, clock: Clock) -> None:
        self._trail = trail
        self._ledger = ledger
        self._clock = clock
        self._merging = threading.Lock()
        self._recent: dict[str, tuple[int, Sequence[Double]]] = {}

    def recent(self, organization_id: OrganizationId) -> Sequence[Double]:
        """What `of` finds, looked for once a minute at most: it reads a week of requests."""
        now_us = to_us(self._clock.now())
        at_us, found = self._recent.get(organization_id, (0, ()))
        if now_us - at_us >= in_us(KEPT):
            found = self.of(organization_id)
            self._recent[organization_id] = (now_us, found)
        return found

    def of(self, organization_id: OrganizationId) -> Sequence[Double]:
        """Probable doubles of the last week, the newest first, up to MAX_SHOWN."""
        now_us = to_us(self._clock.now())
        found = self._ledger.read_alike(
            organization_id, now_us - in_us(LOOK_BACK), now_us + 1, self._ledger.newest_seq()
        )
        doubles = sorted(find_doubles(found), key=lambda double: -double.kept.event_time_us)
        return doubles[:MAX_SHOWN]

    def merge(self, actor: Actor, pairs: Sequence[Pair]) -> int:
        """Count each pair once, by the first of it; how many were merged.

        The second is taken back, and stays on record as a report of the first. Raises Invalid
        where two are not alike, NotFound where there is no such request, Conflict where one of
        them does not count any more; nothing is merged then.
        """
        permit(actor, Permission.REQUESTS_AMEND)
        if not 1 <= len(pairs) <= MAX_MERGED:
            raise Invalid(f"give from 1 to {MAX_MERGED} pairs", field="pairs")
        dropped = [pair.dropped for pair in pairs]
        if len({*dropped, *(pair.kept for pair in pairs)}) < len(pairs) * 2:
            raise Invalid("a request can be in one pair only", field="pairs")
        amendment_id = new_id("mrg")
        with self._merging:  # else the two of a pair could be taken back for each other
            rows = [
                voided(self._dropped(actor.organization_id, pair, f"pairs[{number}]"), amendment_id)
                for number, pair in enumerate(pairs)
            ]
            with self._trail.change(actor, Permission.REQUESTS_AMEND) as change:
                change.note(Action.REQUEST_MERGE, amendment_id, after={"dropped": dropped})
            outcomes = self._ledger.append(rows)
            self._recent.pop(actor.organization_id, None)
        merged = outcomes.count(Outcome.ACCEPTED)
        if merged < len(rows):
            raise Conflict(
                f"{len(rows) - merged} of {len(rows)} pairs were amended by somebody else "
                "meanwhile and stay as they are; look again",
                code=ErrorCode.AMENDED_MEANWHILE,
            )
        return merged

    def _dropped(self, organization_id: OrganizationId, pair: Pair, field: str) -> UsageEvent:
        kept = self._standing(organization_id, pair.kept, f"{field}.kept")
        dropped = self._standing(organization_id, pair.dropped, f"{field}.dropped")
        if not may_be_double(_candidate(kept), _candidate(dropped)):
            raise Invalid(
                f"{pair.kept} and {pair.dropped} are not alike: doubles come on two ways, at about "
                "the same time, with the same model and tokens",
                code=ErrorCode.NOT_ALIKE,
                field=field,
            )
        return dropped

    def _standing(self, organization_id: OrganizationId, event_id: str, field: str) -> UsageEvent:
        history = self._ledger.read_rows(organization_id, event_id)
        if not history:
            raise NotFound("There is no such request.", field=field)
        found = standing(history)
        if not found:
            raise Conflict(f"{event_id} is not counted", code=ErrorCode.NOT_COUNTED, field=field)
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

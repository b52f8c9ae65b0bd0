"""Repricing runs: preview, execution and reverting.

The ledger's rows are never changed. A request whose cost changes is voided and restated at its
original time; cells of the cube, limits and logs follow from the rows.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from outlay.domain.actor import Actor
from outlay.domain.amendment import restated, standing
from outlay.domain.audit import Action
from outlay.domain.dimension import Dimension, Grouping
from outlay.domain.discovery import Merges
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Conflict, Invalid
from outlay.domain.event import CostSource, UsageEvent
from outlay.domain.ids import OrganizationId
from outlay.domain.outcome import Outcome
from outlay.domain.period import BUCKET_US, BUCKETS_PER_DAY, period_of_dates
from outlay.domain.policy import Permission, permit, permit_one_of
from outlay.domain.repricing import (
    Reprice,
    RepriceTable,
    RepriceTally,
    RepriceWanted,
    RunState,
    labelled,
)
from outlay.kit.batches import batched
from outlay.kit.clock import Clock, to_us
from outlay.kit.ids import new_id
from outlay.kit.progress import Progress
from outlay.services.analytics.request_log import TooWide
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.services.directory.prices import PriceBooks
from outlay.services.directory.text_rules import check_owned
from outlay.services.long_run import LongRun
from outlay.services.repricing.bounded_previews import BoundedPreviews
from outlay.services.repricing.orders import RepriceOrder, check_wanted
from outlay.services.repricing.repricer import repriced
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.reprices import (
    create_reprice,
    find_reprice,
    list_reprices,
    update_reprice,
)
from outlay.storage.ledger.log import LogConditions, LogFilter, LogOrder, LogPosition
from outlay.storage.ledger.store import Ledger

logger = logging.getLogger(__name__)

PREVIEW_SECONDS: Final = 20.0
"""Time limit of a preview; `outlay reprice` has none."""
MAX_REASON: Final = 500
STOP_SECONDS: Final = 30.0
SIGN_SECONDS: Final = 5.0
"""Heartbeat interval of a run."""

_PAGE: Final = 2_500
_DAY_US: Final = BUCKETS_PER_DAY * BUCKET_US
_OLDEST_FIRST: Final = LogOrder(is_descending=False)
_LACKING: Final = (CostSource.UNPRICED.value, CostSource.PARTIAL.value)

Change = tuple[UsageEvent, UsageEvent]
"""The current and the new version of an event."""

Look = Callable[[], None]
"""Called often while requests are read; raises an exception to stop."""

Changes = Callable[[Reprice, RepriceTally, Look], Iterator[Change]]


class Reprices:
    """Reprices requests of an actor's organization. Thread-safe."""

    def __init__(
        self,
        directory: Directory,
        audited: AuditedChanges,
        ledger: Ledger,
        prices: PriceBooks,
        clock: Clock,
        labels: Callable[[OrganizationId, Dimension], Mapping[str, str]],
        merges: Callable[[OrganizationId], Merges],
    ) -> None:
        """`labels` returns display names of dimension values, `merges` the merged values."""
        self._labels = labels
        self._merges = merges
        self._previews = BoundedPreviews()
        self._directory = directory
        self._audited = audited
        self._ledger = ledger
        self._prices = prices
        self._clock = clock
        self._lock = threading.Lock()
        self._running: dict[str, LongRun[Reprice]] = {}
        """By run."""

    def list_for(self, actor: Actor) -> list[Reprice]:
        """All runs, newest first."""
        permit_one_of(actor, Permission.PRICES_READ, Permission.REQUESTS_AMEND)
        with self._directory.read() as session:
            return list_reprices(session, actor.organization_id)

    def find(self, actor: Actor, reprice_id: str) -> Reprice:
        """One of them; raises NotFound if there is none."""
        permit_one_of(actor, Permission.PRICES_READ, Permission.REQUESTS_AMEND)
        with self._directory.read() as session:
            found = find_reprice(session, reprice_id)
        return check_owned(found, actor.organization_id, "run")

    def preview(
        self, actor: Actor, wanted: RepriceWanted, *, seconds: float | None = PREVIEW_SECONDS
    ) -> RepriceTable:
        """What a run would change now; raises TooWide if that takes longer than `seconds`.

        Bounded previews run one at a time: raises Unavailable while another is running.
        """
        permit(actor, Permission.REQUESTS_READ)
        check_wanted(wanted)
        tally = self._tally(actor.organization_id)
        with self._previews.begin(seconds, _too_long) as look:
            for change in self._changes(actor.organization_id, wanted, tally, look):
                tally.add(*change)
        return tally.table()

    def begin(
        self, actor: Actor, wanted: RepriceWanted, reason: str
    ) -> tuple[Reprice, LongRun[Reprice]]:
        """Reprice requests; the changes are recorded when the run has finished."""

        def changes(reprice: Reprice, tally: RepriceTally, look: Look) -> Iterator[Change]:
            return self._changes(actor.organization_id, reprice.wanted, tally, look)

        return self._begin(actor, wanted, reason, "", Action.REPRICE_CREATE, changes)

    def revert(
        self, actor: Actor, reprice_id: str, reason: str
    ) -> tuple[Reprice, LongRun[Reprice]]:
        """Restore the costs before a run, except of requests amended since."""
        known = self.find(actor, reprice_id)
        for other in self.list_for(actor):
            if other.reverts == reprice_id and other.finished_at_us is not None:
                raise Conflict(
                    f"The repricing {reprice_id} was already reverted by {other.reprice_id}.",
                    code=ErrorCode.ALREADY_REVERTED,
                )
        is_running = known.state_at(to_us(self._clock.now())) is RunState.RUNNING
        if is_running or reprice_id in self._running:
            raise Conflict(
                f"The repricing {reprice_id} is still running.", code=ErrorCode.STILL_RUNNING
            )

        def changes(reprice: Reprice, tally: RepriceTally, look: Look) -> Iterator[Change]:
            return self._reverting(actor.organization_id, known, tally, look)

        return self._begin(actor, known.wanted, reason, reprice_id, Action.REPRICE_REVERT, changes)

    def user_names(self, actor: Actor) -> Mapping[str, str]:
        """The current display names of the users in tables."""
        permit(actor, Permission.REQUESTS_READ)
        return self._labels(actor.organization_id, Dimension.USER)

    def _tally(self, organization_id: OrganizationId) -> RepriceTally:
        merges = self._merges(organization_id)
        return RepriceTally(lambda user: merges.target(Dimension.USER, user))

    def carry_out(self, operator: Actor, order: RepriceOrder) -> Reprice:
        """Execute an order to its end; a preview is a run without an id."""
        done = self._carry_out(operator, order)
        if done.table is None:
            return done
        return replace(done, table=labelled(done.table, self.user_names(operator)))

    def _carry_out(self, operator: Actor, order: RepriceOrder) -> Reprice:
        if order.reverts:
            _, run = self.revert(operator, order.reverts, order.reason)
            return run.result()
        if order.wanted is None:
            raise Invalid("`from` and `to` are required.", field="from")
        if order.reason:
            _, run = self.begin(operator, order.wanted, order.reason)
            return run.result()
        return Reprice(
            reprice_id="",
            organization_id=operator.organization_id,
            author="",
            reason="",
            created_at_us=to_us(self._clock.now()),
            wanted=order.wanted,
            table=self.preview(operator, order.wanted, seconds=None),
        )

    def stop(self) -> None:
        """Stop the current runs; they can be repeated."""
        with self._lock:
            running = [*self._running.values()]
        for run in running:
            run.stop()
        for run in running:
            run.join(STOP_SECONDS)

    # Implementation

    def _begin(
        self,
        actor: Actor,
        wanted: RepriceWanted,
        reason: str,
        reverts: str,
        action: Action,
        changes: Changes,
    ) -> tuple[Reprice, LongRun[Reprice]]:
        """Record a run and start it."""
        check_wanted(wanted)
        reason = reason.strip()
        if not reason or len(reason) > MAX_REASON or not reason.isprintable():
            raise Invalid(
                f"`reason` must have 1 to {MAX_REASON} characters on one line.", field="reason"
            )
        with self._audited.change(actor, Permission.REQUESTS_AMEND) as change:
            reprice = Reprice(
                reprice_id=new_id("rpr"),
                organization_id=actor.organization_id,
                author=actor.member_id,
                reason=reason,
                created_at_us=change.now_us,
                wanted=wanted,
                reverts=reverts,
            )
            create_reprice(change.session, reprice)
            change.note(
                action,
                reprice.reprice_id,
                after={
                    "from": wanted.from_date.isoformat(),
                    "to": wanted.to_date.isoformat(),
                    "timezone": wanted.timezone,
                    "filters": {name: ",".join(values) for name, values in wanted.filters.items()},
                    "onlyLacking": wanted.only_lacking,
                    "reason": reason,
                    "reverts": reverts or None,
                },
            )
        run = LongRun[Reprice](
            what=f"repricing {reprice.reprice_id}",
            asked_by=actor.member_name,
            since=self._clock.now(),
        )

        def work(run: LongRun[Reprice]) -> Reprice:
            return self._amend(reprice, changes, run)

        def end() -> None:
            with self._lock:
                self._running.pop(reprice.reprice_id, None)

        with self._lock:
            self._running[reprice.reprice_id] = run
        run.start(work, end)
        return reprice, run

    def _amend(
        self,
        reprice: Reprice,
        changes: Changes,
        run: LongRun[Reprice],
    ) -> Reprice:
        """Write the changes to the ledger in batches, and record the result."""
        tally = self._tally(reprice.organization_id)
        done, reported_at = 0, time.monotonic()

        def look() -> None:
            """Stop if requested; write heartbeats, even while nothing changes."""
            nonlocal reported_at
            run.check()
            if time.monotonic() - reported_at > SIGN_SECONDS:
                reported_at = time.monotonic()
                self._put(replace(reprice, alive_at_us=to_us(self._clock.now())))

        for part in batched(changes(reprice, tally, look), _PAGE):
            rows = [
                row for before, after in part for row in restated(before, reprice.reprice_id, after)
            ]
            outcomes = self._ledger.append(rows)
            # Both rows of a request succeed or fail together: it may have been amended in the
            # meantime.
            for change, outcome in zip(part, outcomes[::2], strict=True):
                if outcome is Outcome.ACCEPTED:
                    tally.add(*change)
                    done += 1
            run.tell(Progress("requests repriced", done, tally.seen))
            look()
        table = tally.table()
        finished = replace(
            reprice,
            finished_at_us=to_us(self._clock.now()),
            table=table,
            skipped=tally.seen - table.changed if reprice.reverts else 0,
        )
        self._put(finished)
        return finished

    def _put(self, reprice: Reprice) -> None:
        with self._directory.change() as session:
            update_reprice(session, reprice)

    def _standing(
        self, organization_id: OrganizationId, wanted: RepriceWanted, through_seq: int, look: Look
    ) -> Iterator[UsageEvent]:
        """The current versions of the matching requests, under their row ids."""
        for part in self._days(organization_id, wanted, through_seq):
            look()
            after: LogPosition | None = None
            while positions := self._ledger.read_positions(part, _OLDEST_FIRST, after, _PAGE):
                look()
                after = positions[-1]
                for entry in self._ledger.read_logged(organization_id, positions):
                    yield entry.row_event

    def _changes(
        self,
        organization_id: OrganizationId,
        wanted: RepriceWanted,
        tally: RepriceTally,
        look: Look,
    ) -> Iterator[Change]:
        """The requests whose cost would change; all matching requests are counted."""
        book = self._prices.read(organization_id)
        through_seq = self._ledger.newest_seq()
        for event in self._standing(organization_id, wanted, through_seq, look):
            tally.seen += 1
            after = repriced(book, event)
            if after is not event:
                yield event, after

    def _reverting(
        self, organization_id: OrganizationId, known: Reprice, tally: RepriceTally, look: Look
    ) -> Iterator[Change]:
        """The requests changed by a run, in their current and their earlier version."""
        everything = replace(known.wanted, only_lacking=False)
        for part in self._days(organization_id, everything, self._ledger.newest_seq()):
            histories = self._ledger.read_restated(
                organization_id, part.start_us, part.end_us, known.reprice_id
            )
            look()
            for history in histories:
                tally.seen += 1
                (latest,) = standing(history) or (None,)
                if latest is None or latest.amendment_id != known.reprice_id:
                    continue
                before = next(row for row in history if row.event_id == latest.amends)
                yield latest, before

    def _days(
        self, organization_id: OrganizationId, wanted: RepriceWanted, through_seq: int
    ) -> Iterator[LogFilter]:
        """The filters split by day: void rows are looked up within each day."""
        check_wanted(wanted)
        merges = self._merges(organization_id)
        values: dict[Grouping, tuple[str, ...]] = {
            Dimension(name): merges.with_merged(Dimension(name), tuple(alternatives))
            for name, alternatives in wanted.filters.items()
        }
        period = period_of_dates(wanted.from_date, wanted.to_date, wanted.timezone)
        first_us, last_us = self._ledger.event_time_range(organization_id) or (0, -1)
        start_us = max(period.start_bucket * BUCKET_US, first_us)
        end_us = min(period.end_bucket * BUCKET_US, last_us + 1)
        for begin in range(start_us, end_us, _DAY_US):
            yield LogFilter(
                organization_id=organization_id,
                start_us=begin,
                end_us=min(begin + _DAY_US, end_us),
                values=values,
                conditions=LogConditions(cost_sources=_LACKING if wanted.only_lacking else ()),
                through_seq=through_seq,
            )


def _too_long() -> TooWide:
    return TooWide(
        "Repricing each request of the period takes too long. Choose a shorter period or run "
        "`outlay reprice`.",
        field="from",
    )

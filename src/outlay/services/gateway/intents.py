"""Batching of the gateway's intents and outcomes into ledger transactions.

Everything submitted since the last transaction goes into the next one, so concurrent requests share
one thread switch and one fsync. All calls of an IntentLog are made in one event loop.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import OutlayError, Unavailable
from outlay.domain.event import UsageEvent
from outlay.domain.outcome import Outcome
from outlay.storage.ledger.rescue import RescueFile
from outlay.storage.ledger.rows import Intent
from outlay.storage.ledger.store import Ledger

logger = logging.getLogger(__name__)

RETRY_SECONDS: Final = 1.0

_Waiter = asyncio.Future[None]


@dataclass(slots=True)
class _Handed:
    """The content of one transaction."""

    intents: list[Intent]
    events: list[UsageEvent]
    waiters: list[tuple[_Waiter, str]]
    refusals: dict[str, OutlayError] = field(default_factory=dict)
    """Why intents were not recorded, by event id."""
    is_watched: bool = False
    """Whether refused outcomes are rescued without the event loop, which may have ended."""

    def refuse(self, intent: Intent, why: OutlayError) -> None:
        """Store the refusal of an intent; called by the ledger's thread."""
        self.refusals[intent.event_id] = why

    def tell(self, error: BaseException | None) -> None:
        """Resolve the waiting futures."""
        for waiter, intent_id in self.waiters:
            if waiter.done():
                continue
            failure = error or self.refusals.get(intent_id)
            if failure is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(failure)


class IntentLog:
    """Records intents before upstreams are called, and outcomes afterwards."""

    def __init__(self, ledger: Ledger, rescue: RescueFile) -> None:
        """`rescue` takes the outcomes that the ledger refuses until a restart."""
        self._ledger = ledger
        self._rescue = rescue
        self._intents: list[Intent] = []
        self._events: list[UsageEvent] = []
        self._waiters: list[tuple[_Waiter, str]] = []
        """Waiting futures and their intents."""
        self._handed: tuple[Future[list[Outcome]], _Handed] | None = None
        """The transaction being written: the next one waits for it."""
        self._overdue: list[UsageEvent] = []

    @property
    def overdue(self) -> int:
        """Outcomes that the ledger could not take yet; they are kept here and retried."""
        return len(self._overdue)

    async def open(self, intent: Intent) -> None:
        """Record an intent; returns once it is on disk.

        Raises Unavailable, having stored nothing, if the ledger cannot accept, and LimitReached if
        the ledger finds that a spend limit has no room for it.
        """
        if self._overdue:
            raise Unavailable(
                "The ledger is not writable. Try again later.", code=ErrorCode.LEDGER_UNAVAILABLE
            )
        self._intents.append(intent)
        await self._landing(intent.event_id)

    async def settle(self, event: UsageEvent) -> None:
        """Record an outcome in place of its intent; returns once it is on disk.

        If the ledger cannot accept, the outcome is kept and retried every second: the request has
        been answered, so it is not affected. If the ledger accepts nothing until a restart, the
        outcome goes to the rescue file.
        """
        self._events.append(event)
        with suppress(Unavailable):  # by then it is kept or rescued, even if nobody waits
            await self._landing()

    def settle_now(self, *events: UsageEvent) -> None:
        """Submit outcomes without waiting, when the event loop is about to end.

        Those that the ledger refuses, now or at the commit, go to the rescue file.
        """
        try:
            submitted = self._submit(events)
        except Unavailable:
            self._rescue.append(events)
        else:
            self._rescue_if_refused(submitted, events)

    def flush(self) -> None:
        """Submit what is left, when the event loop is about to end or has ended."""
        left = (*self._events, *self._overdue)
        self._events, self._overdue = [], []
        if left:
            self.settle_now(*left)
        if self._handed is None:
            return
        submitted, handed = self._handed
        if not handed.is_watched:  # nobody may be left to handle the result
            handed.is_watched = True
            self._rescue_if_refused(submitted, handed.events)

    def _rescue_if_refused(
        self, submitted: Future[list[Outcome]], events: Sequence[UsageEvent]
    ) -> None:
        def look(done: Future[list[Outcome]]) -> None:
            if events and done.exception():
                self._rescue.append(events)

        submitted.add_done_callback(look)

    def _submit(self, events: Sequence[UsageEvent]) -> Future[list[Outcome]]:
        settled = [(event.organization_id, event.event_id) for event in events]
        return self._ledger.submit(events, settled=settled)

    def _landing(self, intent_id: str = "") -> _Waiter:
        loop = asyncio.get_running_loop()
        waiter: _Waiter = loop.create_future()
        self._waiters.append((waiter, intent_id))
        if self._handed is None and len(self._waiters) == 1:
            loop.call_soon(self._hand_over, loop)
        return waiter

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        """Submit the next batch; called again when the one in flight is finished."""
        if not self._waiters or self._handed is not None:
            return
        handed = _Handed(self._intents, self._events, self._waiters)
        self._intents, self._events, self._waiters = [], [], []
        try:
            submitted = self._ledger.submit(
                handed.events,
                intents=handed.intents,
                settled=[(event.organization_id, event.event_id) for event in handed.events],
                refused=handed.refuse,
            )
        except Unavailable as error:
            self._land(loop, handed, error)
            return
        self._handed = (submitted, handed)
        submitted.add_done_callback(partial(self._on_commit, loop, handed))

    def _on_commit(
        self, loop: asyncio.AbstractEventLoop, handed: "_Handed", submitted: Future[list[Outcome]]
    ) -> None:
        """Called by the ledger's thread."""
        try:
            loop.call_soon_threadsafe(self._on_landing, loop, handed, submitted.exception())
        except RuntimeError:
            logger.debug("the event loop ended before the ledger answered")

    def _on_landing(
        self, loop: asyncio.AbstractEventLoop, handed: "_Handed", error: BaseException | None
    ) -> None:
        self._handed = None
        self._land(loop, handed, error)
        self._hand_over(loop)

    def _land(
        self, loop: asyncio.AbstractEventLoop, handed: "_Handed", error: BaseException | None
    ) -> None:
        """Resolve the waiting futures, once refused outcomes are kept elsewhere."""
        if error is None or not handed.events or handed.is_watched:
            handed.tell(error)
        elif self._ledger.failure:
            saving = loop.run_in_executor(None, self._rescue.append, handed.events)
            saving.add_done_callback(lambda _: handed.tell(error))
        else:
            if not self._overdue:
                logger.error("outcomes are waiting for the ledger: %s", error)
                loop.call_later(RETRY_SECONDS, self._retry)
            self._overdue.extend(handed.events)
            handed.tell(error)

    def _retry(self) -> None:
        """Retry the outcomes that the ledger could not take."""
        loop = asyncio.get_running_loop()
        overdue = tuple(self._overdue)  # more may be added while these are being written

        def landed(error: BaseException | None) -> None:
            if error is None:
                self._overdue = self._overdue[len(overdue) :]
                logger.warning("%d waiting outcomes were recorded", len(overdue))
            if self._overdue and self._ledger.failure:
                loop.run_in_executor(None, self._rescue.append, self._overdue)
                self._overdue = []
            elif self._overdue:
                loop.call_later(RETRY_SECONDS, self._retry)

        try:
            submitted = self._submit(overdue)
        except Unavailable as error:
            landed(error)
            return
        submitted.add_done_callback(
            lambda done: loop.call_soon_threadsafe(landed, done.exception())
        )

"""The gateway's way to the ledger: intents and outcomes of many requests in one transaction.

What has been handed over since the last transaction goes into the next one together, so requests
that run side by side share the crossing between threads and the fsync. All calls of one journal
are made in one event loop.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import Final

from outlay.domain.errors import OutlayError, Unavailable
from outlay.domain.event import UsageEvent
from outlay.domain.outcome import Outcome
from outlay.storage.ledger.rescue import RescueFile
from outlay.storage.ledger.rows import Intent
from outlay.storage.ledger.store import Ledger

logger = logging.getLogger(__name__)

MAX_IN_FLIGHT: Final = 1
"""Transactions handed over at a time: one is written while the next waits at the door."""

RETRY_SECONDS: Final = 1.0

_Waiter = asyncio.Future[None]
_Refusals = dict[str, OutlayError]
"""By event id."""


class Journal:
    """Puts intents on record before, and outcomes after, upstreams are called."""

    def __init__(self, ledger: Ledger, rescue: RescueFile) -> None:
        """`rescue` takes the outcomes that the ledger will not take before a restart."""
        self._ledger = ledger
        self._rescue = rescue
        self._intents: list[Intent] = []
        self._events: list[UsageEvent] = []
        self._waiters: list[tuple[_Waiter, str]] = []
        """Who waits, and for which intent."""
        self._in_flight = 0
        self._overdue: list[UsageEvent] = []

    @property
    def overdue(self) -> int:
        """Outcomes that the ledger could not take yet; they are kept here and tried again."""
        return len(self._overdue)

    async def open(self, intent: Intent) -> None:
        """Put an intent on record; returns once it is on disk.

        Raises Unavailable, having stored nothing, when the ledger cannot accept, and LimitReached
        when the ledger finds that a spend limit has no room for it.
        """
        if self._overdue:
            raise Unavailable("the ledger cannot write now", code="ledger-unavailable")
        self._intents.append(intent)
        await self._landing(intent.event_id)

    async def settle(self, event: UsageEvent) -> None:
        """Put an outcome on record in place of its intent; returns once it is on disk.

        When the ledger cannot accept, the outcome is kept and tried again every second: the
        request has been answered, so this is no longer its problem. When the ledger accepts
        nothing until a restart, the outcome goes to the rescue file.
        """
        self._events.append(event)
        try:
            await self._landing()
        except Unavailable as error:
            if self._ledger.failure:
                await asyncio.to_thread(self._rescue.append, (event,))
                return
            if not self._overdue:
                logger.error("outcomes wait for the ledger: %s", error.message)  # noqa: TRY400 - no bug
                asyncio.get_running_loop().call_later(RETRY_SECONDS, self._retry)
            self._overdue.append(event)

    def settle_now(self, *events: UsageEvent) -> None:
        """Hand outcomes over without waiting, when the event loop is about to end.

        Those that the ledger does not take, now or when it commits, go to the rescue file.
        """
        try:
            submitted = self._submit(events)
        except Unavailable:
            self._rescue.append(events)
        else:
            submitted.add_done_callback(
                lambda done: self._rescue.append(events) if done.exception() else None
            )

    def flush(self) -> None:
        """Hand over what is left, when the event loop is about to end."""
        self.settle_now(*self._events, *self._overdue)
        self._events, self._overdue = [], []

    def _submit(self, events: Sequence[UsageEvent]) -> Future[list[Outcome]]:
        settled = [(event.organization_id, event.event_id) for event in events]
        return self._ledger.submit(events, settled=settled)

    def _landing(self, intent_id: str = "") -> _Waiter:
        loop = asyncio.get_running_loop()
        waiter: _Waiter = loop.create_future()
        self._waiters.append((waiter, intent_id))
        if self._in_flight < MAX_IN_FLIGHT and len(self._waiters) == 1:
            loop.call_soon(self._hand_over, loop)
        return waiter

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        """Submit what has come together; the last one in flight calls this again."""
        if not self._waiters or self._in_flight >= MAX_IN_FLIGHT:
            return
        intents, events, waiters = self._intents, self._events, self._waiters
        self._intents, self._events, self._waiters = [], [], []
        refusals: _Refusals = {}

        def refused(intent: Intent, why: OutlayError) -> None:
            refusals[intent.event_id] = why

        try:
            submitted = self._ledger.submit(
                events,
                intents=intents,
                settled=[(event.organization_id, event.event_id) for event in events],
                refused=refused,
            )
        except Unavailable as error:
            _tell(waiters, error, refusals)
            return
        self._in_flight += 1
        submitted.add_done_callback(partial(self._on_commit, loop, waiters, refusals))

    def _on_commit(
        self,
        loop: asyncio.AbstractEventLoop,
        waiters: list[tuple[_Waiter, str]],
        refusals: _Refusals,
        submitted: Future[list[Outcome]],
    ) -> None:
        """Called by the ledger's thread."""
        try:
            loop.call_soon_threadsafe(self._land, loop, waiters, refusals, submitted.exception())
        except RuntimeError:
            logger.debug("the event loop ended before the ledger answered")

    def _land(
        self,
        loop: asyncio.AbstractEventLoop,
        waiters: list[tuple[_Waiter, str]],
        refusals: _Refusals,
        error: BaseException | None,
    ) -> None:
        self._in_flight -= 1
        _tell(waiters, error, refusals)
        self._hand_over(loop)

    def _retry(self) -> None:
        """Try the outcomes again that the ledger could not take."""
        loop = asyncio.get_running_loop()
        overdue = tuple(self._overdue)  # more may join them while these are being written

        def landed(error: BaseException | None) -> None:
            if error is None:
                self._overdue = self._overdue[len(overdue) :]
                logger.warning("%d outcomes that waited are on record now", len(overdue))
            if self._overdue and self._ledger.failure:
                self.flush()
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


def _tell(
    waiters: list[tuple[_Waiter, str]], error: BaseException | None, refusals: _Refusals
) -> None:
    for waiter, intent_id in waiters:
        if waiter.done():
            continue
        told = error or refusals.get(intent_id)
        if told is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(told)

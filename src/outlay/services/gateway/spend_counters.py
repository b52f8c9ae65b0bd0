"""Counters of what is spent and held: in memory where one process writes, else in the ledger."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

from outlay.domain.spend_limit import CounterKey, Hold, HoldRefused
from outlay.kit.clock import FOREVER_US, Clock, in_us, to_us
from outlay.storage.ledger.rows import EventRow
from outlay.storage.ledger.spending import (
    Owner,
    SharedSpending,
    cost_of,
    is_within,
    owner_of,
    owners_of,
)
from outlay.storage.ledger.store import Ledger

FirstSum = Callable[[], tuple[int, int]]
"""Gives a ledger position and what had been spent, in pico-USD, when it was reached."""

_GRACE_US: Final = in_us(timedelta(minutes=1))
"""How long a counter stays after its interval: somebody may be about to hold against it."""


class SpendCounters(Protocol):
    """What holds requests back. Thread-safe."""

    def is_ready(self, key: CounterKey) -> bool:
        """Whether a counter has its first sum."""
        ...

    def start(self, key: CounterKey, first: FirstSum) -> None:
        """Give a counter its first sum, to which what is committed from then on is added."""
        ...

    def hold(self, holds: Sequence[Hold], now_us: int) -> HoldRefused | None:
        """Hold amounts against all of their limits, or say which has no room."""
        ...

    def release(self, holds: Sequence[Hold]) -> None:
        """Give back what was held; once."""
        ...


class SharedCounters:
    """Counters in the ledger's database, for all nodes.

    The ledger decides on a hold in the transaction that puts the request's intent on record, and
    lets go of it in the one that stores the outcome and counts its cost.
    """

    def __init__(self, spending: SharedSpending) -> None:
        self._spending = spending
        self._started: set[CounterKey] = set()
        self._swept_us = 0

    def is_ready(self, key: CounterKey) -> bool:
        """Whether a counter has its first sum."""
        return key in self._started

    def start(self, key: CounterKey, first: FirstSum) -> None:
        """Give a counter its first sum, unless another node has."""
        self._spending.start(key, *first())
        if key.start_us > self._swept_us:
            self._started = {known for known in self._started if known.end_us > key.start_us}
            self._swept_us = key.start_us
        self._started.add(key)

    def hold(self, holds: Sequence[Hold], now_us: int) -> HoldRefused | None:
        """Leave it to the ledger."""
        return None

    def release(self, holds: Sequence[Hold]) -> None:
        """Leave it to the ledger."""


@dataclass(slots=True)
class _Counter:
    """What one scope has spent in one interval. Guarded by the lock of LocalCounters."""

    held_pusd: int = 0
    spent_pusd: int = 0
    is_ready: bool = False
    through_seq: int = 0
    """The ledger position of the first sum: what is at or before it is in it."""
    early: list[tuple[int, int]] = field(default_factory=list)
    """Sequence number and cost of what was committed before the first sum was known."""


class LocalCounters:
    """Counters in memory, kept up from the commits of the only process that writes."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._clock = clock
        self._counters: dict[CounterKey, _Counter] = {}
        self._by_owner: dict[Owner, dict[CounterKey, _Counter]] = {}
        """The same counters: an event looks at those of its owners, however many there are."""
        self._sweep_us = 0
        """When the next interval is over, whose counters can be dropped then."""
        self._lock = threading.Lock()
        ledger.on_commit(self._note)

    def is_ready(self, key: CounterKey) -> bool:
        """Whether a counter has its first sum."""
        counter = self._counters.get(key)
        return counter is not None and counter.is_ready

    def start(self, key: CounterKey, first: FirstSum) -> None:
        """Give a counter its first sum, to which what is committed from now on is added."""
        with self._lock:
            if key not in self._counters:
                self._forget_before(to_us(self._clock.now()) - _GRACE_US)
                counter = self._counters[key] = _Counter()
                self._by_owner.setdefault(owner_of(key), {})[key] = counter
                self._sweep_us = min(self._sweep_us, key.end_us)
            counter = self._counters[key]
        through_seq, spent = first()
        with self._lock:
            if counter.is_ready:
                return
            counter.spent_pusd = spent + sum(
                cost for seq, cost in counter.early if seq > through_seq
            )
            counter.early = []
            counter.through_seq = through_seq
            counter.is_ready = True

    def hold(self, holds: Sequence[Hold], now_us: int) -> HoldRefused | None:
        """Hold amounts against all of their limits, or say which has no room."""
        with self._lock:
            counters = [self._counters[hold.counter] for hold in holds]
            for hold, counter in zip(holds, counters, strict=True):
                total = counter.spent_pusd + counter.held_pusd + hold.amount_pusd
                if total > hold.limit.amount_pusd:
                    return HoldRefused(hold, counter.spent_pusd, counter.held_pusd, now_us)
            for hold, counter in zip(holds, counters, strict=True):
                counter.held_pusd += hold.amount_pusd
        return None

    def release(self, holds: Sequence[Hold]) -> None:
        """Give back what was held; once."""
        with self._lock:
            for hold in holds:
                self._counters[hold.counter].held_pusd -= hold.amount_pusd

    def _forget_before(self, instant_us: int) -> None:
        """Drop counters of intervals that were over then and that nothing is held in."""
        if instant_us < self._sweep_us:
            return
        for key, counter in list(self._counters.items()):
            if key.end_us <= instant_us and not counter.held_pusd:
                del self._counters[key]
                of_owner = self._by_owner[owner_of(key)]
                del of_owner[key]
                if not of_owner:
                    del self._by_owner[owner_of(key)]
        ends = (key.end_us for key in self._counters if key.end_us > instant_us)
        self._sweep_us = min(ends, default=FOREVER_US)

    def _note(self, rows: Sequence[EventRow]) -> None:
        """Add what has been committed. Called by the ledger's thread."""
        if not self._counters:
            return
        with self._lock:
            for row in rows:
                for owner in owners_of(row):
                    for key, counter in self._by_owner.get(owner, {}).items():
                        if not is_within(row, key):
                            continue
                        if not counter.is_ready:
                            counter.early.append((row[0], cost_of(row)))
                        elif row[0] > counter.through_seq:
                            counter.spent_pusd += cost_of(row)

"""Counters of spent and reserved amounts: in memory with one writing process, otherwise in the
ledger.
"""

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
"""Returns a ledger position and the spend up to it, in pico-USD."""

_GRACE_US: Final = in_us(timedelta(minutes=1))
"""How long a counter is kept after its interval: a reservation may still be made against it."""


class SpendCounters(Protocol):
    """Counters that admit or refuse reservations. Thread-safe."""

    def is_ready(self, key: CounterKey) -> bool:
        """Whether a counter has been started."""
        ...

    def start(self, key: CounterKey, first: FirstSum) -> None:
        """Start a counter with its first sum, to which later commits are added."""
        ...

    def hold(self, holds: Sequence[Hold], now_us: int) -> HoldRefused | None:
        """Reserve amounts against all of their limits; returns the refusal if one has no room."""
        ...

    def release(self, holds: Sequence[Hold]) -> None:
        """Release a reservation; once."""
        ...


class SharedCounters:
    """Counters in the ledger's database, for all nodes.

    The ledger checks a reservation in the transaction that records the request's intent, and
    releases it in the one that records the outcome and counts its cost.
    """

    def __init__(self, spending: SharedSpending) -> None:
        self._spending = spending
        self._started: set[CounterKey] = set()
        self._swept_us = 0

    def is_ready(self, key: CounterKey) -> bool:
        """Whether a counter has been started."""
        return key in self._started

    def start(self, key: CounterKey, first: FirstSum) -> None:
        """Start a counter with its first sum, unless another node has."""
        self._spending.start(key, *first())
        if key.start_us > self._swept_us:
            self._started = {known for known in self._started if known.end_us > key.start_us}
            self._swept_us = key.start_us
        self._started.add(key)

    def hold(self, holds: Sequence[Hold], now_us: int) -> HoldRefused | None:
        """Nothing to do: the ledger checks reservations."""
        return None

    def release(self, holds: Sequence[Hold]) -> None:
        """Nothing to do: the ledger releases reservations."""


@dataclass(slots=True)
class _Counter:
    """The spend of one owner in one interval. Guarded by the lock of LocalCounters."""

    held_pusd: int = 0
    spent_pusd: int = 0
    is_ready: bool = False
    through_seq: int = 0
    """The ledger position of the first sum, which includes everything up to it."""
    early: list[tuple[int, int]] = field(default_factory=list)
    """Sequence number and cost of events committed before the first sum was known."""


class LocalCounters:
    """Counters in memory, updated from the commits of the only writing process."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._clock = clock
        self._counters: dict[CounterKey, _Counter] = {}
        self._by_owner: dict[Owner, dict[CounterKey, _Counter]] = {}
        """The same counters by owner: an event updates only those of its owners."""
        self._sweep_us = 0
        """The end of the next interval, when its counters can be deleted."""
        self._lock = threading.Lock()
        ledger.on_commit(self._note)

    def is_ready(self, key: CounterKey) -> bool:
        """Whether a counter has been started."""
        counter = self._counters.get(key)
        return counter is not None and counter.is_ready

    def start(self, key: CounterKey, first: FirstSum) -> None:
        """Start a counter with its first sum, to which later commits are added."""
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
        """Reserve amounts against all of their limits; returns the refusal if one has no room."""
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
        """Release a reservation; once."""
        with self._lock:
            for hold in holds:
                self._counters[hold.counter].held_pusd -= hold.amount_pusd

    def _forget_before(self, instant_us: int) -> None:
        """Delete counters of ended intervals without reservations."""
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
        """Add committed rows. Called by the ledger's thread."""
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

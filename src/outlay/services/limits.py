"""Spend limits, enforced before a provider is called: reserve, then settle.

What has been spent in the present interval is read from the cube once and then kept up from the
ledger's commits, so it is the ledger's own sum, imports included. A request reserves what it may
cost at most before it is let through and gives the reservation back when its real cost is in.

The bound: a limit can be passed by no more than what requests that were let through cost above
their reservations. A request that states the most output it wants cannot cost more than reserved,
up to the estimate of its input.
"""

import asyncio
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from outlay.domain.dimension import Dimension
from outlay.domain.errors import LimitReached
from outlay.domain.money import render_usd
from outlay.domain.organization import ApiKey
from outlay.domain.period import Period, parse_zone
from outlay.domain.query import CORE_MEASURES, UsageQuery
from outlay.domain.spend_limit import LimitScope, SpendLimit, window_of
from outlay.kit.cache import Cache
from outlay.kit.clock import Clock, to_us
from outlay.storage.cube.slot import CubeSlot
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.organizations import find_organization
from outlay.storage.directory.spend_limits import list_spend_limits
from outlay.storage.ledger.rows import COLUMN, EventRow
from outlay.storage.ledger.sqlite import SqliteLedger

_DIMENSION: Final = {
    LimitScope.API_KEY: Dimension.API_KEY,
    LimitScope.PROJECT: Dimension.PROJECT,
    LimitScope.MEMBER: Dimension.MEMBER,
}
_NAME: Final = {
    LimitScope.API_KEY: "API key",
    LimitScope.PROJECT: "project",
    LimitScope.MEMBER: "member",
}

_ORGANIZATION: Final = COLUMN["organization_id"]
_TIME: Final = COLUMN["event_time_us"]
_COST: Final = COLUMN["cost_pusd"]
_SCOPE_COLUMN: Final = {
    LimitScope.API_KEY: COLUMN["api_key_id"],
    LimitScope.PROJECT: COLUMN["project_id"],
    LimitScope.MEMBER: COLUMN["member_id"],
}


@dataclass(slots=True)
class _Counter:
    """What one scope has spent in one interval. Guarded by the lock of SpendLimits."""

    start_us: int
    end_us: int
    reserved_pusd: int = 0
    spent_pusd: int = 0
    is_ready: bool = False
    through_seq: int = 0
    """The ledger position of the first sum: what is at or before it is in it."""
    early: list[tuple[int, int]] = field(default_factory=list)
    """Sequence number and cost of what was committed before the first sum was known."""


_Key = tuple[str, LimitScope, str, int, int]
"""Organization, scope, id, and the interval in µs."""


@dataclass(slots=True)
class Reservation:
    """What a request may cost, held back until its real cost is known."""

    amount_pusd: int
    counters: list[_Counter]


_NOTHING: Final = Reservation(0, [])


class SpendLimits:
    """Lets requests through while their limits allow. Thread-safe."""

    def __init__(
        self, directory: Directory, ledger: SqliteLedger, slot: CubeSlot, clock: Clock
    ) -> None:
        self._directory = directory
        self._ledger = ledger
        self._slot = slot
        self._clock = clock
        self._limits: Cache[str, tuple[str, list[SpendLimit]]] = Cache(self._read)
        self._counters: dict[_Key, _Counter] = {}
        self._lock = threading.Lock()
        ledger.on_commit(self._note)

    def refresh(self) -> None:
        """Read again what is known of the directory."""
        self._limits.refresh()

    def are_set(self, api_key: ApiKey) -> bool:
        """Whether any limit applies to the calls of a key."""
        return bool(self._of(api_key)[1])

    async def reserve(self, api_key: ApiKey, amount_pusd: int) -> Reservation:
        """Hold back what a request may cost; raises LimitReached, naming the limit, if it cannot.

        Amounts are pico-USD.
        """
        timezone, limits = self._of(api_key)
        if not limits:
            return _NOTHING
        now = self._clock.now()
        now_us = to_us(now)
        today = now.astimezone(parse_zone(timezone)).date()
        periods = [window_of(limit.interval, today, timezone) for limit in limits]
        counters = [
            await self._counter(limit, period)
            for limit, period in zip(limits, periods, strict=True)
        ]
        with self._lock:
            for limit, counter in zip(limits, counters, strict=True):
                if counter.spent_pusd + counter.reserved_pusd + amount_pusd > limit.amount_pusd:
                    raise _refusal(limit, counter, now_us)
            for counter in counters:
                counter.reserved_pusd += amount_pusd
        return Reservation(amount_pusd, counters)

    def settle(self, reservation: Reservation) -> None:
        """Give back what was held, once the real cost is on record or there is none."""
        if not reservation.counters:
            return
        with self._lock:
            for counter in reservation.counters:
                counter.reserved_pusd -= reservation.amount_pusd
            reservation.counters = []

    def spent_pusd(self, limit: SpendLimit) -> int:
        """What has been spent against a limit in the present interval, in pico-USD."""
        timezone, _ = self._limits.get(limit.organization_id)
        today = self._clock.now().astimezone(parse_zone(timezone)).date()
        return self._sum(limit, window_of(limit.interval, today, timezone))[1]

    def _of(self, api_key: ApiKey) -> tuple[str, list[SpendLimit]]:
        timezone, limits = self._limits.get(api_key.organization_id)
        if not limits:
            return timezone, limits
        scopes = {
            (LimitScope.API_KEY, api_key.api_key_id),
            (LimitScope.PROJECT, api_key.project_id),
            (LimitScope.MEMBER, api_key.member_id),
        }
        return timezone, [limit for limit in limits if (limit.scope, limit.scope_id) in scopes]

    async def _counter(self, limit: SpendLimit, period: Period) -> _Counter:
        start_us, end_us = to_us(period.start), to_us(period.end)
        key = (limit.organization_id, limit.scope, limit.scope_id, start_us, end_us)
        with self._lock:
            counter = self._counters.get(key)
            if counter is None:
                now_us = to_us(self._clock.now())
                self._forget_before(now_us)
                counter = self._counters[key] = _Counter(start_us, end_us)
        if not counter.is_ready:
            await asyncio.to_thread(self._start, counter, limit, period)
        return counter

    def _forget_before(self, now_us: int) -> None:
        """Drop counters of intervals that are over and that nothing is reserved in."""
        for key, counter in list(self._counters.items()):
            if counter.end_us <= now_us and not counter.reserved_pusd:
                del self._counters[key]

    def _start(self, counter: _Counter, limit: SpendLimit, period: Period) -> None:
        """Give a counter its first sum, to which what is committed from now on is added."""
        through_seq, spent = self._sum(limit, period)
        with self._lock:
            if counter.is_ready:
                return
            counter.spent_pusd = spent + sum(
                cost for seq, cost in counter.early if seq > through_seq
            )
            counter.early = []
            counter.through_seq = through_seq
            counter.is_ready = True

    def _sum(self, limit: SpendLimit, period: Period) -> tuple[int, int]:
        """The cost in a period, and the ledger position up to which it is known."""
        query = UsageQuery(
            organization_id=limit.organization_id,
            period=period,
            measures=CORE_MEASURES,
            filters={_DIMENSION[limit.scope]: (limit.scope_id,)},
        )
        with self._slot.read() as reader:
            loaded_seq = reader.loaded_seq()
            spent = sum(totals.cost_pusd for totals in reader.totals(query).values())
        through_seq = self._ledger.last_seq
        start_us, end_us = to_us(period.start), to_us(period.end)
        column = _SCOPE_COLUMN[limit.scope]
        position = loaded_seq
        while position < through_seq:
            for batch in self._ledger.read_batches(position):
                position = batch.last_seq
                spent += sum(
                    row[_COST]
                    for row in batch.rows
                    if row[0] <= through_seq
                    and row[_ORGANIZATION] == limit.organization_id
                    and row[column] == limit.scope_id
                    and start_us <= row[_TIME] < end_us
                )
        return through_seq, spent

    def _note(self, rows: Sequence[EventRow]) -> None:
        """Add what has been committed. Called by the ledger's thread."""
        if not self._counters:
            return
        with self._lock:
            counters = list(self._counters.items())
            for row in rows:
                for (organization_id, scope, scope_id, start_us, end_us), counter in counters:
                    if (
                        row[_ORGANIZATION] == organization_id
                        and row[_SCOPE_COLUMN[scope]] == scope_id
                        and start_us <= row[_TIME] < end_us
                    ):
                        if not counter.is_ready:
                            counter.early.append((row[0], row[_COST]))
                        elif row[0] > counter.through_seq:
                            counter.spent_pusd += row[_COST]

    def _read(self, organization_id: str) -> tuple[str, list[SpendLimit]]:
        with self._directory.unit() as session:
            organization = find_organization(session, organization_id)
            limits = list_spend_limits(session, organization_id)
        return (organization.timezone if organization else "UTC"), limits


def _refusal(limit: SpendLimit, counter: _Counter, now_us: int) -> LimitReached:
    seconds = max(1, math.ceil((counter.end_us - now_us) / 1_000_000))
    return LimitReached(
        f"The {_NAME[limit.scope]}'s limit of {render_usd(limit.amount_pusd)} USD per "
        f"{limit.interval} is used up: {render_usd(counter.spent_pusd)} USD are spent, "
        f"{render_usd(counter.reserved_pusd)} USD are held for requests under way. "
        f"It starts anew in {_duration(seconds)}.",
        retry_after=seconds,
    )


def _duration(seconds: int) -> str:
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"

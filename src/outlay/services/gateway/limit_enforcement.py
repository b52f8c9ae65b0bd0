"""Spend limits, enforced before a provider is called: reserve, then settle.

The spend of the current interval is read from the cube once and then updated from the ledger's
commits, so it equals the ledger's own sum, including imports. A request reserves its largest
possible cost before it is admitted, and releases the reservation when its actual cost is recorded.

The bound: a limit can be exceeded by at most the costs of admitted requests above their
reservations. A request that states its maximum output cannot cost more than reserved, up to the
estimate of its input.
"""

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Final

from outlay.domain.dimension import Dimension
from outlay.domain.discovery import NO_MERGES
from outlay.domain.ids import OrganizationId
from outlay.domain.organization import ApiKey
from outlay.domain.period import Period, parse_zone
from outlay.domain.query import CORE_MEASURES, UsageQuery
from outlay.domain.questions import StepTotals
from outlay.domain.spend_limit import (
    CounterKey,
    Hold,
    LimitScope,
    SpendLimit,
    limit_reached,
    window_of,
)
from outlay.kit.cache import Cache
from outlay.kit.clock import Clock, to_us
from outlay.services.gateway.spend_counters import SpendCounters
from outlay.storage.cube.slot import CubeSlot
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.organizations import find_organization
from outlay.storage.directory.spend_limits import list_spend_limits
from outlay.storage.ledger.rows import COLUMN
from outlay.storage.ledger.spending import is_counted
from outlay.storage.ledger.store import Ledger

_DIMENSION: Final = {
    LimitScope.API_KEY: Dimension.API_KEY,
    LimitScope.PROJECT: Dimension.PROJECT,
    LimitScope.MEMBER: Dimension.MEMBER,
}

_COST: Final = COLUMN["cost_pusd"]

Reservation = Sequence[Hold]
"""The largest cost of a request, reserved until its actual cost is known."""


_Limits = dict[tuple[LimitScope, str], list[SpendLimit]]
"""Limits by owner, so that the work per request does not depend on their number."""


class SpendLimits:
    """Admits requests while their limits allow. Thread-safe."""

    def __init__(
        self,
        directory: Directory,
        ledger: Ledger,
        slot: CubeSlot,
        counters: SpendCounters,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._ledger = ledger
        self._slot = slot
        self._counters = counters
        self._clock = clock
        self._limits: Cache[OrganizationId, tuple[str, _Limits]] = Cache(self._read)

    def knows(self, organization_id: OrganizationId) -> bool:
        """Whether an organization's data is cached."""
        return organization_id in self._limits

    def refresh(self) -> None:
        """Reload the cached data."""
        self._limits.refresh()

    def are_set(self, api_key: ApiKey) -> bool:
        """Whether any limit applies to the calls of a key."""
        return bool(self._of(api_key)[1])

    async def reserve(self, api_key: ApiKey, amount_pusd: int) -> Reservation:
        """Reserve the largest cost of a request; raises LimitReached, naming the limit, if there is
        no room.

        If several nodes share the counters, this is decided when the request's intent is recorded,
        using the returned reservation. Amounts are pico-USD.
        """
        timezone, limits = self._of(api_key)
        if not limits:
            return ()
        today = self._clock.now().astimezone(parse_zone(timezone)).date()
        holds = [
            Hold(await self._counter(limit, today, timezone), limit, amount_pusd)
            for limit in limits
        ]
        refused = self._counters.hold(holds, to_us(self._clock.now()))
        if refused is not None:
            raise limit_reached(refused)
        return holds

    def settle(self, reservation: Reservation) -> None:
        """Release a reservation, once the actual cost is recorded or there is none."""
        self._counters.release(reservation)

    def spent_pusd(self, limit: SpendLimit) -> int:
        """The spend of a limit's current interval, in pico-USD."""
        timezone, _ = self._limits.get(limit.organization_id)
        today = self._clock.now().astimezone(parse_zone(timezone)).date()
        return self._sum(limit, window_of(limit.interval, today, timezone))[1]

    def _of(self, api_key: ApiKey) -> tuple[str, list[SpendLimit]]:
        timezone, limits = self._limits.get(api_key.organization_id)
        owners = (
            (LimitScope.API_KEY, api_key.api_key_id),
            (LimitScope.PROJECT, api_key.project_id),
            (LimitScope.MEMBER, api_key.member_id),
        )
        return timezone, [limit for owner in owners for limit in limits.get(owner, ())]

    async def _counter(self, limit: SpendLimit, today: date, timezone: str) -> CounterKey:
        """The counter of a limit's current interval, started if necessary."""
        period = window_of(limit.interval, today, timezone)
        key = _key(limit, period)
        if not self._counters.is_ready(key):
            await asyncio.to_thread(self._counters.start, key, lambda: self._sum(limit, period))
        return key

    def _sum(self, limit: SpendLimit, period: Period) -> tuple[int, int]:
        """The cost in a period, and the ledger position up to which it is known."""
        query = UsageQuery(
            organization_id=limit.organization_id,
            merges=NO_MERGES,
            period=period,
            measures=CORE_MEASURES,
            filters={_DIMENSION[limit.scope]: (limit.scope_id,)},
        )
        with self._slot.read() as reader:
            loaded_seq = reader.loaded_seq
            spent = sum(totals.cost_pusd for totals in reader.ask(StepTotals(query)).values())
        through_seq = self._ledger.newest_seq()
        key = _key(limit, period)
        position = loaded_seq
        while position < through_seq:
            for batch in self._ledger.read_batches(position):
                position = batch.last_seq
                spent += sum(
                    row[_COST]
                    for row in batch.rows
                    if row[0] <= through_seq and is_counted(row, key)
                )
        return through_seq, spent

    def _read(self, organization_id: OrganizationId) -> tuple[str, _Limits]:
        with self._directory.read() as session:
            organization = find_organization(session, organization_id)
            limits = list_spend_limits(session, organization_id)
        by_owner: _Limits = {}
        for limit in limits:
            by_owner.setdefault((limit.scope, limit.scope_id), []).append(limit)
        return (organization.timezone if organization else "UTC"), by_owner


def _key(limit: SpendLimit, period: Period) -> CounterKey:
    return CounterKey(
        limit.organization_id,
        limit.scope,
        limit.scope_id,
        to_us(period.start),
        to_us(period.end),
    )

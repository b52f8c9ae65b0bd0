"""Spend counters in the ledger's database, so that limits hold across all nodes.

Counting, reserving and starting a counter all take the ledger's lock: a reservation is checked
against every committed cost and every earlier reservation, on any node.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Final, NamedTuple

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import OutlayError, Unavailable
from outlay.domain.spend_limit import (
    CounterKey,
    Hold,
    HoldRefused,
    LimitScope,
    limit_reached,
)
from outlay.kit.clock import in_us
from outlay.storage.ledger.rows import EventRow, Intent
from outlay.storage.ledger.spending import (
    SCOPE_COLUMN,
    Owner,
    cost_of,
    is_within,
    owner_of,
    owners_of,
)
from outlay.storage.postgres import MarkedConnection

_GRACE_US: Final = in_us(timedelta(days=1))
"""How long a counter is kept after its interval: a reservation may still be made against it."""

FIND_COUNTERS: Final = (
    "SELECT counter_id, organization_id, scope, scope_id, start_us, end_us FROM spend_counter "
    "WHERE (organization_id, scope, scope_id) IN "
    "(SELECT * FROM unnest(?::text[], ?::text[], ?::text[]))"
)
_STANDING: Final = (
    "SELECT counter_id, spent_pusd::text, (SELECT coalesce(sum(amount_pusd), 0)::text "
    "FROM spend_hold WHERE spend_hold.counter_id = spend_counter.counter_id) "
    "FROM spend_counter WHERE (organization_id, scope, scope_id, start_us, end_us) "
    "= (?, ?, ?, ?, ?)"
)
_COUNT: Final = "UPDATE spend_counter SET spent_pusd = spent_pusd + ? WHERE counter_id = ?"
_PUT_HOLD: Final = (
    "INSERT INTO spend_hold (organization_id, event_id, counter_id, amount_pusd) "
    "VALUES (?, ?, ?, ?)"
)
_HELD: Final = "SELECT 1 FROM request_intent WHERE organization_id = ? AND event_id = ?"
_START: Final = (
    "INSERT INTO spend_counter (organization_id, scope, scope_id, start_us, end_us, spent_pusd) "
    "SELECT ?, ?, ?, ?, ?, ? + coalesce(sum(CASE amendment WHEN 'void' THEN -cost_pusd "
    "WHEN 'witness' THEN 0 ELSE cost_pusd END), 0) FROM usage_event "
    "WHERE seq > ? AND organization_id = ? AND {column} = ? "
    "AND event_time_us >= ? AND event_time_us < ? ON CONFLICT DO NOTHING"
)
_DROP_OVER: Final = (
    "DELETE FROM spend_counter WHERE organization_id = ? AND end_us <= ? AND NOT EXISTS "
    "(SELECT 1 FROM spend_hold WHERE spend_hold.counter_id = spend_counter.counter_id)"
)


class Admission(NamedTuple):
    """Which intents are admitted."""

    refused: dict[tuple[str, str], OutlayError]
    """By organization and event id, with the error for the caller."""
    holds: list[tuple[str, str, int, int]]
    """Of the admitted intents; passed to `hold`."""


class _Standing(NamedTuple):
    counter_id: int
    spent_pusd: int
    held_pusd: int


class PostgresSpending:
    """Counters and reservations. Called within a ledger's transactions, except `start`."""

    def __init__(self, locked: Callable[[], AbstractContextManager[MarkedConnection]]) -> None:
        """`locked` begins a transaction with the ledger's lock."""
        self._locked = locked
        self._swept_us: dict[str, int] = {}
        """By organization, the start of the interval up to which ended counters were deleted."""

    def start(self, key: CounterKey, through_seq: int, spent_pusd: int) -> None:
        """Start a counter with the amount spent up to a position; once for all nodes."""
        statement = _START.format(column=SCOPE_COLUMN[key.scope])
        window = (through_seq, key.organization_id, key.scope_id, key.start_us, key.end_us)
        with self._locked() as connection:
            if key.start_us > self._swept_us.get(key.organization_id, 0):
                connection.execute(_DROP_OVER, (key.organization_id, key.start_us - _GRACE_US))
                self._swept_us[key.organization_id] = key.start_us
            connection.execute(statement, (*key, spent_pusd, *window))

    def count(self, connection: MarkedConnection, rows: Sequence[EventRow]) -> None:
        """Add the cost of events that are being committed."""
        of_owner: dict[Owner, list[EventRow]] = {}
        for row in rows:
            for owner in owners_of(row):
                of_owner.setdefault(owner, []).append(row)
        organizations, scopes, ids = zip(*of_owner, strict=True) if of_owner else ((), (), ())
        found = connection.execute(
            FIND_COUNTERS, (list(organizations), [scope.value for scope in scopes], list(ids))
        ).fetchall()
        costs = []
        for counter_id, organization, scope, scope_id, start_us, end_us in found:
            key = CounterKey(organization, LimitScope(scope), scope_id, start_us, end_us)
            cost = sum(cost_of(row) for row in of_owner[owner_of(key)] if is_within(row, key))
            if cost:
                costs.append((cost, counter_id))
        if costs:
            connection.executemany(_COUNT, costs)

    def admit(
        self, connection: MarkedConnection, intents: Sequence[Intent], now_us: int
    ) -> Admission:
        """Check the reservations of intents, in order, against the spent and reserved amounts."""
        refused: dict[tuple[str, str], OutlayError] = {}
        rows: list[tuple[str, str, int, int]] = []
        standing: dict[CounterKey, _Standing | None] = {}
        for intent in intents:
            if not intent.holds or connection.execute(_HELD, intent[:2]).fetchone():
                continue  # nothing to reserve, or reserved by a commit whose result was lost
            for hold in intent.holds:
                if hold.counter not in standing:
                    standing[hold.counter] = self._standing(connection, hold.counter)
            why = _refusal(intent.holds, standing, now_us)
            if why is not None:
                refused[intent[:2]] = why
                continue
            for hold in intent.holds:
                known = standing[hold.counter]
                if known is not None:
                    held = known.held_pusd + hold.amount_pusd
                    standing[hold.counter] = known._replace(held_pusd=held)
                    rows.append((*intent[:2], known.counter_id, hold.amount_pusd))
        return Admission(refused, rows)

    @staticmethod
    def hold(connection: MarkedConnection, rows: Sequence[tuple[str, str, int, int]]) -> None:
        """Record reservations with the intents they belong to."""
        if rows:
            connection.executemany(_PUT_HOLD, rows)

    @staticmethod
    def _standing(connection: MarkedConnection, key: CounterKey) -> _Standing | None:
        """The amounts of a counter; None if it does not exist."""
        found = connection.execute(_STANDING, key).fetchone()
        return _Standing(found[0], int(found[1]), int(found[2])) if found else None


def _refusal(
    holds: Sequence[Hold], standing: Mapping[CounterKey, _Standing | None], now_us: int
) -> OutlayError | None:
    """The error if a reservation does not fit, None if all limits have room."""
    for hold in holds:
        known = standing[hold.counter]
        if known is None:
            return Unavailable(
                "The amount spent against a limit is not known yet. Try again in a moment.",
                code=ErrorCode.SPENDING_UNKNOWN,
            )
        if known.spent_pusd + known.held_pusd + hold.amount_pusd > hold.limit.amount_pusd:
            refused = HoldRefused(hold, known.spent_pusd, known.held_pusd, now_us)
            return limit_reached(refused)
    return None

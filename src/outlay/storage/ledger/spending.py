"""Which events a spend counter counts."""

from typing import Final, Protocol

from outlay.domain.event import SIGN
from outlay.domain.spend_limit import CounterKey, LimitScope
from outlay.storage.ledger.rows import COLUMN, EventRow

SCOPE_COLUMN: Final = {
    LimitScope.API_KEY: "api_key_id",
    LimitScope.PROJECT: "project_id",
    LimitScope.MEMBER: "member_id",
}
"""The event column with the id of a scope."""

_COST: Final = COLUMN["cost_pusd"]
_AMENDMENT: Final = COLUMN["amendment"]
_ORGANIZATION: Final = COLUMN["organization_id"]
_TIME: Final = COLUMN["event_time_us"]
_POSITION: Final = {scope: COLUMN[name] for scope, name in SCOPE_COLUMN.items()}


Owner = tuple[str, LimitScope, str]
"""Organization, scope and the scope's id."""


class SharedSpending(Protocol):
    """Counters that a ledger keeps for all nodes that write to it."""

    def start(self, key: CounterKey, through_seq: int, spent_pusd: int) -> None:
        """Start a counter with the amount spent up to a position; once for all nodes."""
        ...


def owner_of(key: CounterKey) -> Owner:
    """The owner of a counter."""
    return key.organization_id, key.scope, key.scope_id


def owners_of(row: EventRow) -> list[Owner]:
    """The owners of an event's spend."""
    return [
        (row[_ORGANIZATION], scope, row[position])
        for scope, position in _POSITION.items()
        if row[position]
    ]


def cost_of(row: EventRow) -> int:
    """What a row adds to the spend, in pico-USD."""
    return int(SIGN[row[_AMENDMENT]] * row[_COST])


def is_within(row: EventRow, key: CounterKey) -> bool:
    """Whether an event is in a counter's interval."""
    return bool(key.start_us <= row[_TIME] < key.end_us)


def is_counted(row: EventRow, key: CounterKey) -> bool:
    """Whether an event counts against a counter."""
    return is_within(row, key) and owner_of(key) in owners_of(row)

"""What of the ledger a spend counter counts."""

from typing import Final, Protocol

from outlay.domain.spend_limit import CounterKey, LimitScope
from outlay.storage.ledger.rows import COLUMN, EventRow

SCOPE_COLUMN: Final = {
    LimitScope.API_KEY: "api_key_id",
    LimitScope.PROJECT: "project_id",
    LimitScope.MEMBER: "member_id",
}
"""The column of an event that says whose spend it is."""

_ORGANIZATION: Final = COLUMN["organization_id"]
_TIME: Final = COLUMN["event_time_us"]
_POSITION: Final = {scope: COLUMN[name] for scope, name in SCOPE_COLUMN.items()}


class SharedSpending(Protocol):
    """Counters that a ledger keeps for all nodes that write it."""

    def start(self, key: CounterKey, through_seq: int, spent_pusd: int) -> None:
        """Count from now on, beginning with what was spent up to a position; once for all nodes."""
        ...


def is_counted(row: EventRow, key: CounterKey) -> bool:
    """Whether an event counts against a counter."""
    return bool(
        row[_ORGANIZATION] == key.organization_id
        and row[_POSITION[key.scope]] == key.scope_id
        and key.start_us <= row[_TIME] < key.end_us
    )

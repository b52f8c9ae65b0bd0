"""Monthly partitions of usage_event by event time, created on demand."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from outlay.kit.clock import from_us, to_us
from outlay.storage.ledger import queries
from outlay.storage.ledger.rows import COLUMN, EventRow
from outlay.storage.postgres import LOCK, SCHEMA_LOCK, MarkedConnection

_TIME: Final = COLUMN["event_time_us"]

_PARTITIONS: Final = (
    "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'usage_event'::regclass"
)


class Partitions:
    """The existing partitions. Used by one thread."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def create(self, writer: MarkedConnection, times_us: Iterable[int]) -> None:
        """Ensure that there are partitions for events of some times."""
        wanted = {_month_of(time_us) for time_us in times_us}
        if all(_name(month) in self._known for month in wanted):
            return
        with writer.raw.transaction():
            writer.execute(LOCK, (SCHEMA_LOCK,))
            self._known = {name for (name,) in writer.execute(_PARTITIONS)}
            for month in sorted(wanted):
                name = _name(month)
                if name in self._known:
                    continue
                start, end = to_us(month), to_us(_following(month))
                # Attaching does not block readers, unlike creating it as a partition.
                writer.execute(f"CREATE TABLE {name} (LIKE usage_event INCLUDING ALL)")
                writer.execute(
                    f"ALTER TABLE usage_event ATTACH PARTITION {name} "
                    f"FOR VALUES FROM ({start}) TO ({end})"
                )
        self._known |= {_name(month) for month in wanted}


def copy_events(writer: MarkedConnection, rows: Sequence[EventRow]) -> None:
    """Copy rows into their partitions: COPY does not work on a table with row-level security."""
    by_month: dict[datetime, list[EventRow]] = {}
    for row in rows:
        by_month.setdefault(_month_of(row[_TIME]), []).append(row)
    with writer.raw.cursor() as cursor:
        for month, part in by_month.items():
            statement = f"COPY {_name(month)} ({queries.COLUMNS}) FROM STDIN"
            with cursor.copy(statement) as copy:
                for row in part:
                    copy.write_row(row)


def _month_of(time_us: int) -> datetime:
    """The first instant of an instant's UTC month."""
    day = from_us(time_us).astimezone(UTC)
    return day.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _following(month: datetime) -> datetime:
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


def _name(month: datetime) -> str:
    return f"usage_event_{month:%Y_%m}"

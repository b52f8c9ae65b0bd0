"""Single events of the ledger, newest first: what a log of requests is read from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

from msgspec import Meta

from outlay.domain.dimension import Dimension
from outlay.domain.event import UsageEvent
from outlay.storage.ledger.rows import COLUMN, EventRow, from_row


class LogPosition(NamedTuple):
    """Where a page of the log ended; unique and stable however many events come in."""

    event_time_us: Annotated[int, Meta(ge=0, lt=2**62)]
    seq: Annotated[int, Meta(ge=0, lt=2**62)]


class LoggedEvent(NamedTuple):
    """An event with what the ledger knows about having taken it."""

    event: UsageEvent
    position: LogPosition
    recorded_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Which events of an organization are wanted; all conditions must hold."""

    organization_id: str
    start_us: int
    end_us: int
    """Exclusive."""
    values: Mapping[Dimension, Sequence[str]] = field(default_factory=dict)
    """Values of one dimension are alternatives."""
    min_duration_us: int | None = None
    min_cost_pusd: int | None = None
    through_seq: int
    before: LogPosition | None = None


def log_statement(wanted: LogFilter, columns: str, contains: str) -> tuple[str, list[str | int]]:
    """The statement and its values; the last one to be appended is the limit.

    `contains` is the engine's function that tells where a text is in another, 0 for nowhere.
    """
    clauses = ["organization_id = ?", "event_time_us >= ?", "event_time_us < ?", "seq <= ?"]
    values: list[str | int] = [
        wanted.organization_id,
        wanted.start_us,
        wanted.end_us,
        wanted.through_seq,
    ]
    for dimension, alternatives in wanted.values.items():
        marks = ", ".join("?" * len(alternatives))
        if dimension is Dimension.GROUP:
            tests = " OR ".join(
                [f"{contains}(',' || groups || ',', ',' || ? || ',') > 0"] * len(alternatives)
            )
            clauses.append(f"({tests})")
        else:
            clauses.append(f"{dimension.column} IN ({marks})")
        values += alternatives
    for column, least in (
        ("duration_us", wanted.min_duration_us),
        ("cost_pusd", wanted.min_cost_pusd),
    ):
        if least is not None:
            clauses.append(f"{column} >= ?")
            values.append(least)
    if wanted.before is not None:
        clauses.append("(event_time_us < ? OR (event_time_us = ? AND seq < ?))")
        values += [wanted.before.event_time_us, wanted.before.event_time_us, wanted.before.seq]
    text = (
        f"SELECT {columns} FROM usage_event WHERE {' AND '.join(clauses)} "  # noqa: S608 - columns and dimensions are constants, values are bound
        "ORDER BY event_time_us DESC, seq DESC LIMIT ?"
    )
    return text, values


def logged(row: EventRow) -> LoggedEvent:
    """A row as an entry of the log."""
    return LoggedEvent(
        event=from_row(row),
        position=LogPosition(row[COLUMN["event_time_us"]], row[COLUMN["seq"]]),
        recorded_at_us=row[COLUMN["recorded_at_us"]],
    )

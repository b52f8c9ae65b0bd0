"""Filtered and sorted single events, for the request log.

A list is read in two steps: first the positions of its events, from the few columns that filter and
sort; then the events themselves, whose batches are checked. Sums over matches are computed in the
database. They are as reliable as the ledger's file, which is checked continuously (`scrubbing`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, NamedTuple

from outlay.domain.amendment import version_id, version_of
from outlay.domain.answers import ZERO, Totals
from outlay.domain.dimension import Dimension, Grouping
from outlay.domain.duplicate import Candidate
from outlay.domain.event import Amendment, CostSource, Status, UsageEvent, UsageSource
from outlay.domain.ids import OrganizationId
from outlay.domain.tag import Tag
from outlay.storage.ledger.rows import COLUMN, EventRow, from_row

LEAST_VALUE: Final = -1
MOST_VALUE: Final = 2**63 - 1
"""Replaces a missing value, so that it sorts last in either direction."""


class LogSort(StrEnum):
    """What a log is sorted by; its value is the word used in the API."""

    TIME = "time"
    COST = "cost"
    LATENCY = "latencyMs"
    TOKENS = "totalTokens"
    DIFFERENCE = "costDifference"
    """The absolute difference between reported and computed cost."""


class LogPosition(NamedTuple):
    """The position of an event in a sorted log; unique and stable while new events arrive."""

    value: int
    """The sort value."""
    event_time_us: int
    seq: int


class LoggedEvent(NamedTuple):
    """An event with its ledger metadata."""

    event: UsageEvent
    """The event under its reported id."""
    seq: int
    recorded_at_us: int
    version: int = 1
    """2 or more once it has been amended."""

    @property
    def row_event(self) -> UsageEvent:
        """The event under the id of its row."""
        if self.version == 1:
            return self.event
        return replace(self.event, event_id=version_id(self.event.event_id, self.version))


@dataclass(frozen=True, slots=True)
class LogOrder:
    """The order of a log; events with the same value are ordered by time, then by sequence.

    Events without a value come last.
    """

    sort: LogSort = LogSort.TIME
    is_descending: bool = True
    is_backward: bool = False
    """Whether it is read from the end."""

    @property
    def reversed(self) -> "LogOrder":
        """The same order, read from the other end."""
        return replace(self, is_backward=not self.is_backward)

    @property
    def falls(self) -> bool:
        """Whether values decrease."""
        return self.is_descending is not self.is_backward


NEWEST_FIRST: Final = LogOrder()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConditions:
    """Conditions on single requests beyond the cube's dimensions; all must match."""

    min_duration_us: int | None = None
    min_cost_pusd: int | None = None
    error_codes: tuple[str, ...] = ()
    """Combined with OR."""
    cost_sources: tuple[str, ...] = ()
    """Of `CostSource`, combined with OR."""
    id_part: str = ""
    """A substring of the request's id."""
    usage_sources: tuple[str, ...] = ()
    """Of `UsageSource`, combined with OR."""
    has_reported_cost: bool | None = None
    has_computed_cost: bool | None = None
    """Whether the price book has a complete cost."""
    missing: str = ""
    """A meter, counter or context without a price, or an unknown counter."""
    session_id: str = ""
    """The session of the request."""

    def __bool__(self) -> bool:
        return self != NO_CONDITIONS


NO_CONDITIONS: Final = LogConditions()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Which events of an organization match; conditions are combined with AND."""

    organization_id: OrganizationId
    start_us: int
    end_us: int
    """Exclusive."""
    values: Mapping[Grouping, Sequence[str]] = field(default_factory=dict)
    """Values of one dimension are combined with OR."""
    conditions: LogConditions = NO_CONDITIONS
    through_seq: int


Statement = tuple[str, list[str | int]]
"""SQL and its values."""

_IS_COMPUTED: Final = "(computed_cost_pusd IS NOT NULL AND unpriced_parts = '')"
_VALUES: Final = {
    LogSort.TIME: "event_time_us",
    LogSort.COST: f"CASE WHEN cost_source = '{CostSource.UNPRICED}' THEN NULL ELSE cost_pusd END",
    LogSort.LATENCY: "duration_us",
    LogSort.DIFFERENCE: f"CASE WHEN {_IS_COMPUTED} "
    "THEN abs(reported_cost_pusd - computed_cost_pusd) END",
    LogSort.TOKENS: f"CASE WHEN usage_source = '{UsageSource.UNKNOWN}' THEN NULL "
    "ELSE input_tokens + output_tokens END",
}


def _count(condition: str) -> str:
    return f"count(CASE WHEN {condition} THEN 1 END)"


_STANDS: Final = (
    f"amendment IN ('', '{Amendment.RESTATE}') AND event_id NOT IN "  # noqa: S608 - constants
    "(SELECT amends FROM usage_event WHERE organization_id = ? "
    "AND event_time_us >= ? AND event_time_us < ? AND seq <= ? AND amendment <> '' "
    f"AND amendment = '{Amendment.VOID}')"
)
"""Only the last version of an event; a void row has the time of the event that it voids."""

_LOW_BITS: Final = 32
_WIDE: Final = ("cost_pusd", "input_tokens", "output_tokens")
"""Measures whose sum may overflow: the halves of each number are summed separately."""
_COUNTS: Final = {
    "requests": "count(*)",
    "errors": _count(f"status IN ('{Status.UPSTREAM_ERROR}', '{Status.GATEWAY_ERROR}')"),
    "client_errors": _count(f"status = '{Status.CLIENT_ERROR}'"),
    "unpriced_requests": _count(
        f"cost_source = '{CostSource.UNPRICED}' AND usage_source <> '{UsageSource.UNKNOWN}'"
    ),
    "estimated_requests": _count(f"usage_source = '{UsageSource.ESTIMATED}'"),
    "unknown_usage_requests": _count(f"usage_source = '{UsageSource.UNKNOWN}'"),
    "adjusted_requests": _count("adjusted <> 0"),
}
_SUMS: Final = ", ".join(
    [
        *_COUNTS.values(),
        *(
            f"coalesce(sum({name} >> {_LOW_BITS}), 0), "
            f"coalesce(sum({name} & {(1 << _LOW_BITS) - 1}), 0)"
            for name in _WIDE
        ),
    ]
)


def positions_statement(
    wanted: LogFilter, order: LogOrder, after: LogPosition | None, contains: str
) -> Statement:
    """The positions of matching events, in order; the limit is appended as last value.

    `contains` is the engine's function for the position of a text in another, 0 for none.
    """
    if after is not None and order.sort is LogSort.TIME:
        wanted = _beyond(wanted, order, after.event_time_us)
    where, values = conditions_of(wanted, contains)
    direction, beyond = ("DESC", "<") if order.falls else ("ASC", ">")
    value = _VALUES[order.sort]
    keys, ends = ["event_time_us", "seq"], [*(after or ())][1:]
    if order.sort is not LogSort.TIME:
        missing = LEAST_VALUE if order.is_descending else MOST_VALUE
        value = f"coalesce({value}, {missing})"
        keys, ends = [value, *keys], [*(after or ())]
    if ends:
        where += f" AND ({', '.join(keys)}) {beyond} ({', '.join('?' * len(ends))})"
        values += ends
    ranked = ", ".join(f"{key} {direction}" for key in keys)
    text = (
        f"SELECT {value}, event_time_us, seq FROM usage_event WHERE {where} "  # noqa: S608 - expressions are constants, values are bound
        f"ORDER BY {ranked} LIMIT ?"
    )
    return text, values


def _beyond(wanted: LogFilter, order: LogOrder, time_us: int) -> LogFilter:
    """The filter restricted to a time range, so that the index is used."""
    if order.falls:
        return replace(wanted, end_us=min(wanted.end_us, time_us + 1))
    return replace(wanted, start_us=max(wanted.start_us, time_us))


def sums_statement(wanted: LogFilter, contains: str) -> Statement:
    """The sums over all matching events; `read_sums` reads its row."""
    where, values = conditions_of(wanted, contains)
    return f"SELECT {_SUMS} FROM usage_event WHERE {where}", values  # noqa: S608 - expressions are constants, values are bound


def read_sums(row: Sequence[Any]) -> Totals:
    """The measures in a row of `sums_statement`; the others are 0."""
    counts, halves = row[: len(_COUNTS)], [int(half) for half in row[len(_COUNTS) :]]
    sums = [(high << _LOW_BITS) + low for high, low in zip(halves[::2], halves[1::2], strict=True)]
    return ZERO._replace(**dict(zip((*_COUNTS, *_WIDE), (*counts, *sums), strict=True)))


def alike_statement(wanted: LogFilter, contains: str) -> Statement:
    """Events of two or more sources with the same model and tokens, as `Candidate`s in order.

    Append the values for the minimum number of tokens, how many of the newest events to search, and
    the limit.
    """
    where, values = conditions_of(wanted, contains)
    alike = "model, input_tokens, output_tokens"
    text = (
        f"WITH counted AS MATERIALIZED (SELECT {', '.join(Candidate._fields)} "  # noqa: S608 - expressions are constants, values are bound
        f"FROM usage_event WHERE {where} AND input_tokens + output_tokens >= ? "
        f"ORDER BY event_time_us DESC LIMIT ?) SELECT * FROM counted WHERE ({alike}) IN "
        f"(SELECT {alike} FROM counted GROUP BY {alike} HAVING min(source) <> max(source)) "
        f"ORDER BY {alike}, event_time_us, seq LIMIT ?"
    )
    return text, values


def events_statement(positions: Sequence[LogPosition], columns: str) -> Statement:
    """The events at positions, unordered; at least one."""
    times = [position.event_time_us for position in positions]
    marks = ", ".join("?" * len(positions))
    text = (
        f"SELECT {columns} FROM usage_event WHERE seq IN ({marks}) "  # noqa: S608 - columns are constants, values are bound
        "AND event_time_us BETWEEN ? AND ?"  # restricts the partitions
    )
    return text, [*(position.seq for position in positions), min(times), max(times)]


def conditions_of(wanted: LogFilter, contains: str) -> Statement:
    """The conditions of a matching event."""
    clauses = ["organization_id = ?", "event_time_us >= ?", "event_time_us < ?", "seq <= ?"]
    values: list[str | int] = [
        wanted.organization_id,
        wanted.start_us,
        wanted.end_us,
        wanted.through_seq,
    ]
    clauses.append(_STANDS)
    values += values[:4]
    for dimension, alternatives in wanted.values.items():
        clause, given = _value_clause(dimension, alternatives, contains)
        clauses.append(clause)
        values += given
    asked = wanted.conditions
    for column, least in (
        ("duration_us", asked.min_duration_us),
        ("cost_pusd", asked.min_cost_pusd),
    ):
        if least is not None:
            clauses.append(f"{column} >= ?")
            values.append(least)
    for column, alternatives in (
        ("error_code", asked.error_codes),
        ("cost_source", asked.cost_sources),
        ("usage_source", asked.usage_sources),
        ("session_id", (asked.session_id,) if asked.session_id else ()),
    ):
        if alternatives:
            clauses.append(f"{column} IN ({', '.join('?' * len(alternatives))})")
            values += alternatives
    if asked.id_part:
        clauses.append(f"{contains}(event_id, ?) > 0")
        values.append(asked.id_part)
    for clause, given in _price_clauses(asked, contains):
        clauses.append(clause)
        values += given
    return " AND ".join(clauses), values


def _value_clause(
    dimension: Grouping, alternatives: Sequence[str], contains: str
) -> tuple[str, Sequence[str]]:
    """The condition on the value, or the set of values, of a dimension."""
    column, count = dimension.column, len(alternatives)
    if isinstance(dimension, Tag):
        alternatives = [f"{dimension.key}={value}" for value in alternatives]
    elif dimension is not Dimension.GROUP:
        return f"{column} IN ({', '.join('?' * count)})", alternatives
    tests = [f"{contains}(',' || {column} || ',', ',' || ? || ',') > 0"] * count
    return f"({' OR '.join(tests)})", alternatives


def _price_clauses(asked: LogConditions, contains: str) -> Iterator[tuple[str, list[str]]]:
    """The conditions on cost and price."""
    for expression, wanted in (
        ("reported_cost_pusd IS NOT NULL", asked.has_reported_cost),
        (_IS_COMPUTED, asked.has_computed_cost),
    ):
        if wanted is not None:
            yield expression if wanted else f"NOT ({expression})", []
    if asked.missing:
        named = "',' || unpriced_parts || ',' || unread || ','"
        yield f"{contains}({named}, ',' || ? || ',') > 0", [asked.missing]


def logged(row: EventRow) -> LoggedEvent:
    """A row as an entry of the log."""
    event = from_row(row)
    root, version = version_of(event.event_id)
    return LoggedEvent(
        event=replace(event, event_id=root) if version > 1 else event,
        seq=row[COLUMN["seq"]],
        recorded_at_us=row[COLUMN["recorded_at_us"]],
        version=version,
    )

"""Summing ledger rows into rollup cells: the only hot loop between ledger and cube."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import add, itemgetter, neg, sub
from typing import Any, Final

from outlay.domain.event import SIGN, CostSource, Status, UsageSource
from outlay.domain.latency import latency_bin
from outlay.domain.meter import split_disjoint, split_meters
from outlay.domain.period import BUCKET_US
from outlay.storage.cube.rollups import (
    COMPARED,
    DIMENSIONS,
    LATENCY,
    MAX_MEASURE,
    METERS,
    SESSIONS,
    USAGE,
    RollupSpec,
)
from outlay.storage.ledger.rows import COLUMN, EventRow

Key = tuple[Any, ...]

SECOND_US: Final = 1_000_000

_TIME = COLUMN["event_time_us"]
_DURATION = COLUMN["duration_us"]
_FIRST_TOKEN = COLUMN["time_to_first_token_us"]
_IS_STREAM = COLUMN["is_stream"]
_STATUS = COLUMN["status"]
_USAGE_SOURCE = COLUMN["usage_source"]
_COST_SOURCE = COLUMN["cost_source"]
_ADJUSTED = COLUMN["adjusted"]
_REPORTED = COLUMN["reported_cost_pusd"]
_COMPUTED = COLUMN["computed_cost_pusd"]
_UNPRICED_PARTS = COLUMN["unpriced_parts"]
_GROUPS = COLUMN["groups"]
_TAGS = COLUMN["tags"]
_AMENDMENT = COLUMN["amendment"]
_SESSION = COLUMN["session_id"]
_METERS = COLUMN["meters"]
_METER_COSTS = COLUMN["meter_costs"]

_labels_of = itemgetter(*(COLUMN[name] for name in DIMENSIONS if name != "bucket"))
_counts_of = itemgetter(
    *(
        COLUMN[name]
        for name in (
            "input_tokens",
            "output_tokens",
            "cache_read_input_tokens",
            "cache_write_input_tokens",
            "reasoning_output_tokens",
            "cost_pusd",
            "input_cost_pusd",
            "cache_read_cost_pusd",
            "cache_write_cost_pusd",
            "output_cost_pusd",
            "meter_cost_pusd",
        )
    )
)

_compared = itemgetter(*(USAGE.measures.index(name) for name in COMPARED))
_of_session = itemgetter(*(USAGE.measures.index(name) for name in SESSIONS.measures))

_ERRORS = frozenset({Status.UPSTREAM_ERROR.value, Status.GATEWAY_ERROR.value})
_CLIENT_ERROR = Status.CLIENT_ERROR.value
_UNPRICED = CostSource.UNPRICED.value
_PARTIAL = CostSource.PARTIAL.value
_ESTIMATED = UsageSource.ESTIMATED.value
_UNKNOWN = UsageSource.UNKNOWN.value


@dataclass(slots=True)
class Deltas:
    """Rollup cells of a range of events: keys in dimension order, measures in catalogue order."""

    usage: dict[Key, tuple[int, ...]] = field(default_factory=dict)
    latency: dict[Key, int] = field(default_factory=dict)
    meters: dict[Key, tuple[int, ...]] = field(default_factory=dict)
    sessions: dict[Key, tuple[int, ...]] = field(default_factory=dict)
    group_sets: set[str] = field(default_factory=set)
    tag_sets: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.usage)

    def tables(self) -> Iterator[tuple[RollupSpec, list[tuple[Any, ...]]]]:
        """The rows of each rollup that has any; no value exceeds 64 bits."""
        for spec, cells in (
            (USAGE, self.usage),
            (METERS, self.meters),
            (SESSIONS, self.sessions),
        ):
            if cells:
                yield (
                    spec,
                    [(*key, *part) for key, cell in cells.items() for part in split_cell(cell)],
                )
        if self.latency:
            yield LATENCY, [(*key, count) for key, count in self.latency.items()]


def aggregate(rows: Iterable[EventRow], into: Deltas) -> Deltas:
    """Add ledger rows to `into` and return it."""
    usage, latency, group_sets = into.usage, into.latency, into.group_sets
    for row in rows:
        sign = SIGN[row[_AMENDMENT]]
        if not sign:
            continue
        labels = _labels_of(row)
        key = (labels[0], row[_TIME] // BUCKET_US, *labels[1:])
        values = _measures_of(row)
        if sign < 0:
            values = tuple(map(neg, values))
        known = usage.get(key)
        usage[key] = values if known is None else tuple(map(add, known, values))
        duration = row[_DURATION]
        if duration is not None:
            binned = (*key, latency_bin(duration))
            latency[binned] = latency.get(binned, 0) + sign
        if row[_GROUPS]:
            group_sets.add(row[_GROUPS])
        if row[_TAGS]:
            into.tag_sets.add(row[_TAGS])
        if row[_METERS] or row[_METER_COSTS]:
            _add_meters(into.meters, key, row, sign, _compared(values))
        if row[_SESSION]:
            cell = (*key, row[_SESSION], row[_TIME] % BUCKET_US // SECOND_US)
            of_session = _of_session(values)
            known = into.sessions.get(cell)
            into.sessions[cell] = (
                of_session if known is None else tuple(map(add, known, of_session))
            )
    return into


def _add_meters(
    into: dict[Key, tuple[int, ...]], key: Key, row: EventRow, sign: int, compared: tuple[int, ...]
) -> None:
    """Add the quantity and cost of each meter of an event, and the comparison of its costs."""
    quantities, costs = split_disjoint(row[_METERS]), split_meters(row[_METER_COSTS])
    for name in {**quantities, **costs}:
        cell = (*key, name)
        own = (sign, sign * quantities.get(name, 0), sign * costs.get(name, 0))
        known = into.get(cell)
        values = (*own, *compared)
        into[cell] = values if known is None else tuple(map(add, known, values))


def _measures_of(row: EventRow) -> tuple[int, ...]:
    """The measures of one event, in the order of the catalogue."""
    status = row[_STATUS]
    usage_source = row[_USAGE_SOURCE]
    duration = row[_DURATION]
    first_token = row[_FIRST_TOKEN] if row[_IS_STREAM] else None
    reported, cost_source = row[_REPORTED], row[_COST_SOURCE]
    computed, uncompared, is_uncompared = 0, 0, 0
    if reported is not None:
        computed = row[_COMPUTED]
        if computed is None or row[_UNPRICED_PARTS]:
            computed, uncompared, is_uncompared = 0, reported, 1
    return (
        1,
        *_counts_of(row),
        0 if reported is None else reported,
        computed,
        uncompared,
        1 if status in _ERRORS else 0,
        1 if status == _CLIENT_ERROR else 0,
        1 if cost_source == _UNPRICED and usage_source != _UNKNOWN else 0,
        1 if cost_source == _PARTIAL else 0,
        0 if reported is None else 1,
        is_uncompared,
        1 if usage_source == _ESTIMATED else 0,
        1 if usage_source == _UNKNOWN else 0,
        row[_ADJUSTED],
        0 if duration is None else duration,
        0 if duration is None else 1,
        0 if first_token is None else first_token,
        0 if first_token is None else 1,
    )


def split_cell(measures: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Measures as rows whose values each fit 64 bits and that add up to them."""
    parts = []
    while max(map(abs, measures)) > MAX_MEASURE:
        part = tuple(max(-MAX_MEASURE, min(value, MAX_MEASURE)) for value in measures)
        parts.append(part)
        measures = tuple(map(sub, measures, part))
    return [*parts, measures]

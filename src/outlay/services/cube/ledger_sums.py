"""The sums that the cube must have, computed from the ledger's rows in one pass with little memory.

This shares no code with the loader that it checks. For every organization and day there is one
integer with all measures, and another one with each event multiplied by the weight of its cell. The
cells of the cube must have the same two sums (`domain.fingerprint`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from struct import Struct, error
from typing import Final

from outlay.domain.answers import Totals
from outlay.domain.event import SIGN, CostSource, Status, UsageSource
from outlay.domain.fingerprint import SEPARATOR, cell_weight
from outlay.domain.ids import OrganizationId
from outlay.domain.latency import latency_bin
from outlay.domain.measure import MEASURES
from outlay.domain.meter import split_disjoint, split_meters
from outlay.domain.period import BUCKET_US, BUCKETS_PER_DAY
from outlay.kit.lanes import LANE_BYTES, pack, unpack
from outlay.storage.cube.rollups import DIMENSIONS
from outlay.storage.ledger.rows import COLUMN, EventRow

_COLUMN_OF: Final = {"adjusted_requests": "adjusted"}
"""Measures that are a ledger column with another name."""
_OWN: Final = (
    "duration_us",
    "time_to_first_token_us",
    "reported_cost_pusd",
    "computed_beside_pusd",
    "uncompared_cost_pusd",
)
"""Measures of values that an event may lack, or that depend on more than one column."""
_COUNTED: Final = tuple(
    measure.name
    for measure in MEASURES
    if _COLUMN_OF.get(measure.name, measure.name) in COLUMN and measure.name not in _OWN
)
_FLAGS: Final = tuple(
    measure.name for measure in MEASURES if measure.name not in {*_COUNTED, *_OWN}
)
"""Measures that are 0 or 1 per event, derived from other fields."""
LANES: Final = (*_COUNTED, *_OWN, *_FLAGS)
"""The measures in the order of the lanes."""

_PADDING: Final = LANE_BYTES - 8
_pack_numbers = Struct("<" + f"Q{_PADDING}x" * (len(_COUNTED) + len(_OWN))).pack
_counts_of = itemgetter(*(COLUMN[_COLUMN_OF.get(name, name)] for name in _COUNTED))
_labels_of = itemgetter(*(COLUMN[name] for name in DIMENSIONS if name != "bucket"))
_sources_of = itemgetter(*(COLUMN[name] for name in ("status", "usage_source", "cost_source")))
_session_counts_of = itemgetter(
    *(COLUMN[name] for name in ("input_tokens", "output_tokens", "cost_pusd"))
)
_TIME: Final = COLUMN["event_time_us"]
_ORGANIZATION: Final = COLUMN["organization_id"]
_GROUPS: Final = COLUMN["groups"]
_DURATION: Final = COLUMN["duration_us"]
_FIRST_TOKEN: Final = COLUMN["time_to_first_token_us"]
_IS_STREAM: Final = COLUMN["is_stream"]
_REPORTED: Final = COLUMN["reported_cost_pusd"]
_COMPUTED: Final = COLUMN["computed_cost_pusd"]
_UNPRICED_PARTS: Final = COLUMN["unpriced_parts"]
_AMENDMENT: Final = COLUMN["amendment"]
_STATUS: Final = COLUMN["status"]
_SESSION: Final = COLUMN["session_id"]
_METERS: Final = COLUMN["meters"]
_METER_COSTS: Final = COLUMN["meter_costs"]

Day = tuple[OrganizationId, int]
"""An organization and a day since the epoch, UTC."""


@dataclass(slots=True)
class PartSum:
    """The sums of a rollup other than usage; each number has a lane per measure."""

    plain: int = 0
    weighted: int = 0

    def add(self, other: "PartSum") -> None:
        """Add another part of the same day."""
        self.plain += other.plain
        self.weighted += other.weighted

    def add_cell(self, values: int, text: str) -> None:
        """Add the values of an event to a cell, whose labels are joined in `text`."""
        self.plain += values
        self.weighted += cell_weight(text) * values


@dataclass(slots=True)
class DaySum:
    """The events of a day, or their cells; each number has a lane per measure."""

    plain: int = 0
    weighted: int = 0
    more_groups: int = 0
    """Counted once more for each further group of an event."""
    latency: int = 0
    """Weights of events times the weight of their latency bin: a single number."""
    meters: PartSum = field(default_factory=PartSum)
    sessions: PartSum = field(default_factory=PartSum)

    def add(self, other: "DaySum") -> None:
        """Add another part of the same day."""
        self.plain += other.plain
        self.weighted += other.weighted
        self.more_groups += other.more_groups
        self.latency += other.latency
        self.meters.add(other.meters)
        self.sessions.add(other.sessions)


class LedgerSums:
    """Sums ledger rows by organization and day."""

    def __init__(self, salt: str) -> None:
        """`salt` determines the weights of this comparison."""
        self._salt = salt
        self._bin_weight = bin_weights(salt)
        self.days: dict[Day, DaySum] = {}

    def take(self) -> dict[Day, DaySum]:
        """The sums since the last call."""
        days, self.days = self.days, {}
        return days

    def add(self, rows: Iterable[EventRow]) -> None:
        """Add rows. Ten million pass through here: whatever is not needed per row is done
        outside."""
        known: dict[tuple[str, int], tuple[DaySum, str]] = {}
        for row in rows:
            bucket = row[_TIME] // BUCKET_US
            place = (row[_ORGANIZATION], bucket)
            if place not in known:
                known[place] = self._place(*place)
            day, ending = known[place]
            duration = row[_DURATION]
            first_token = row[_FIRST_TOKEN] if row[_IS_STREAM] else None
            reported = row[_REPORTED]
            is_compared = (
                reported is not None and row[_COMPUTED] is not None and not row[_UNPRICED_PARTS]
            )
            flags = _flags(
                *_sources_of(row),
                duration is not None,
                first_token is not None,
                reported is not None,
                reported is not None and not is_compared,
            )
            cost = reported or 0
            beside = (row[_COMPUTED], 0) if is_compared else (0, cost)
            numbers = (*_counts_of(row), duration or 0, first_token or 0, cost, *beside)
            try:
                values = int.from_bytes(_pack_numbers(*numbers), "little") + flags
            except error:  # a negative number
                values = pack(numbers) + flags
            sign = SIGN[row[_AMENDMENT]]
            if sign != 1:
                values *= sign
            weight = cell_weight(SEPARATOR.join(_labels_of(row)) + ending)
            day.plain += values
            day.weighted += weight * values
            if duration is not None:
                day.latency += sign * weight * self._bin_weight(latency_bin(duration))
            if "," in row[_GROUPS]:
                day.more_groups += values * row[_GROUPS].count(",")
            if row[_METERS] or row[_METER_COSTS]:
                compared = (cost, *beside, int(reported is not None))
                is_uncompared = reported is not None and not is_compared
                _add_meters(day, row, sign, ending, (*compared, int(is_uncompared)))
            if row[_SESSION]:
                _add_session(day, row, sign, self._salt)

    def _place(self, organization_id: OrganizationId, bucket: int) -> tuple[DaySum, str]:
        """The sums that events of a bucket are added to, and the end of the text of their cells."""
        day = self.days.setdefault((organization_id, bucket // BUCKETS_PER_DAY), DaySum())
        return day, f"{SEPARATOR}{bucket}{SEPARATOR}{self._salt}"


def _add_meters(
    day: DaySum, row: EventRow, sign: int, ending: str, compared: tuple[int, ...]
) -> None:
    """Add each meter of an event to a day."""
    quantities, costs = split_disjoint(row[_METERS]), split_meters(row[_METER_COSTS])
    labels = SEPARATOR.join(_labels_of(row))
    for meter in quantities.keys() | costs.keys():
        values = sign * pack((1, quantities.get(meter, 0), costs.get(meter, 0), *compared))
        day.meters.add_cell(values, f"{labels}{SEPARATOR}{meter}{ending}")


def _add_session(day: DaySum, row: EventRow, sign: int, salt: str) -> None:
    """Add an event of a session to a day."""
    status = row[_STATUS]
    values = pack(
        (
            1,
            *_session_counts_of(row),
            int(status in {Status.UPSTREAM_ERROR, Status.GATEWAY_ERROR}),
            int(status == Status.CLIENT_ERROR),
        )
    )
    bucket, rest_us = divmod(row[_TIME], BUCKET_US)
    place = (row[_SESSION], str(bucket), str(rest_us // 1_000_000), salt)
    day.sessions.add_cell(sign * values, SEPARATOR.join((*_labels_of(row), *place)))


def bin_weights(salt: str) -> Callable[[int], int]:
    """A function that returns the weight of a latency bin."""

    @cache
    def weight(number: int) -> int:
        return cell_weight(f"{number}{SEPARATOR}{salt}")

    return weight


@cache
def _flags(
    status: str,
    usage_source: str,
    cost_source: str,
    is_timed: bool,
    is_streamed: bool,
    has_reported_cost: bool,
    is_uncompared: bool,
) -> int:
    """The measures that are 0 or 1, in their lanes."""
    facts = Totals(
        requests=1,
        errors=int(status in {Status.UPSTREAM_ERROR, Status.GATEWAY_ERROR}),
        client_errors=int(status == Status.CLIENT_ERROR),
        unpriced_requests=int(
            cost_source == CostSource.UNPRICED and usage_source != UsageSource.UNKNOWN
        ),
        partly_priced_requests=int(cost_source == CostSource.PARTIAL),
        reported_cost_requests=int(has_reported_cost),
        uncompared_requests=int(is_uncompared),
        estimated_requests=int(usage_source == UsageSource.ESTIMATED),
        unknown_usage_requests=int(usage_source == UsageSource.UNKNOWN),
        timed_requests=int(is_timed),
        streamed_requests=int(is_streamed),
    )
    return pack([getattr(facts, name) if name in _FLAGS else 0 for name in LANES])


def totals_of(packed: int) -> Totals:
    """The measures in an integer with a lane per measure."""
    return Totals(**dict(zip(LANES, unpack(packed, len(LANES)), strict=True)))

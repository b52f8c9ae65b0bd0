"""What the cube comes to, from one snapshot of it, and whether its parts agree with each other.

The rollups give what is then compared with the ledger. What answers are made of beside them, the
narrow rollups, the sets of groups and the query model itself, is compared with the rollups here, in
the same snapshot.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from outlay.domain.dimension import Dimension
from outlay.domain.period import BUCKETS_PER_DAY, Interval, Period
from outlay.domain.query import UsageQuery
from outlay.domain.result import ZERO, Totals
from outlay.kit.lanes import pack
from outlay.services.ledger_sums import LANES, Day, DaySum, bin_weights, totals_of
from outlay.services.progress import Progress, Tell
from outlay.storage.cube.rollups import LATENCY, USAGE
from outlay.storage.cube.store import CellSums, CubeReader

SLICE_DAYS: Final = 93
"""Days read in one go: few questions, and the sums of each fit in memory."""
EVER: Final = Period(start_bucket=0, end_bucket=2**31 - 1, timezone="UTC")
_SLICE: Final = SLICE_DAYS * BUCKETS_PER_DAY
_LANE_OF: Final = tuple(USAGE.measures.index(name) for name in LANES)


class WrongAnswer(NamedTuple):
    """Where the query model answers something else than the rollups have."""

    organization_id: str
    days: tuple[int, ...]
    """One, or all of a slice when none is wrong by itself."""
    dimension: Dimension | None
    """None for the total."""
    answered: Totals


@dataclass(slots=True)
class CubeSums:
    """The sums of a snapshot."""

    through_seq: int
    days: dict[Day, DaySum] = field(default_factory=dict)
    ever: dict[str, Totals] = field(default_factory=dict)
    """Per organization what the query model answers for all time."""
    wrong_answers: list[WrongAnswer] = field(default_factory=list)
    narrow: Mapping[str, int] = field(default_factory=dict)
    """Per narrow rollup, in how many cells it differs from its source."""
    cells: int = 0


def sum_cube(reader: CubeReader, salt: str, tell: Tell) -> CubeSums:
    """Read the whole cube; `tell` is called after each piece of work."""
    found = CubeSums(through_seq=reader.loaded_seq())
    slices = {spec.name: reader.slices(spec, _SLICE) for spec in (USAGE, LATENCY)}
    total, done = sum(map(len, slices.values())) + 1, 0
    for spec in (USAGE, LATENCY):
        for number in slices[spec.name]:
            start, end = number * _SLICE, (number + 1) * _SLICE
            sums = reader.fingerprints(spec, salt, start, end)
            if spec is USAGE:
                days = note_usage(found, sums)
                _compare_answers(reader, found, days, start, end, tell)
            else:
                note_latency(found, sums, salt)
            done += 1
            tell(Progress("cube", done, total))
    for organization_id in {organization_id for organization_id, _ in found.days}:
        query = UsageQuery(organization_id=organization_id, period=EVER)
        found.ever[organization_id] = reader.totals(query).get(0, ZERO)
    found.narrow = reader.narrow_differences()
    tell(Progress("cube", total, total))
    return found


def note_usage(found: CubeSums, sums: list[CellSums]) -> list[Day]:
    """Note sums of the usage rollup; the days that they are of."""
    for part in sums:
        day = found.days.setdefault((part.organization_id, part.day), DaySum())
        plain = pack([part.plain[lane] for lane in _LANE_OF])
        day.plain += plain
        day.weighted += pack([part.weighted[lane] for lane in _LANE_OF])
        day.more_groups += plain * part.part
        found.cells += part.cells
    return sorted({(part.organization_id, part.day) for part in sums})


def note_latency(found: CubeSums, sums: list[CellSums], salt: str) -> None:
    """Note sums of the latency rollup."""
    bin_weight = bin_weights(salt)
    for part in sums:
        day = found.days.setdefault((part.organization_id, part.day), DaySum())
        day.latency += part.weighted[0] * bin_weight(part.part)


def _compare_answers(
    reader: CubeReader,
    found: CubeSums,
    days: list[Day],
    start: int,
    end: int,
    tell: Tell,
) -> None:
    """Ask the query model for the days of a slice, and for the slice by every grouping."""
    period = Period(start_bucket=start, end_bucket=end, timezone="UTC")
    by_organization: dict[str, list[int]] = {}
    for organization_id, day in days:
        by_organization.setdefault(organization_id, []).append(day)
    for done, (organization_id, own) in enumerate(by_organization.items()):
        query = UsageQuery(organization_id=organization_id, period=period, interval=Interval.DAY)
        _compare_days(found, query, own, reader.totals(query))
        for dimension in Dimension:
            whole = replace(query, group_by=dimension, interval=Interval.TOTAL)
            answered = _sum_by_step(reader, whole).get(0, ZERO)
            if answered == sum_of(found.days, organization_id, own, dimension):
                continue
            known = len(found.wrong_answers)
            by_day = replace(query, group_by=dimension)
            _compare_days(found, by_day, own, _sum_by_step(reader, by_day))
            if len(found.wrong_answers) == known:
                wrong = WrongAnswer(organization_id, tuple(own), dimension, answered)
                found.wrong_answers.append(wrong)
        tell(Progress("answers", done + 1, len(by_organization)))


def _compare_days(
    found: CubeSums, query: UsageQuery, days: list[int], answers: Mapping[int, Totals]
) -> None:
    """Note where answers by day are wrong."""
    organization_id, dimension = query.organization_id, query.group_by
    first = query.period.start_bucket // BUCKETS_PER_DAY
    for day in days:
        answered = answers.get(day - first, ZERO)
        if answered != sum_of(found.days, organization_id, [day], dimension):
            found.wrong_answers.append(WrongAnswer(organization_id, (day,), dimension, answered))


def _sum_by_step(reader: CubeReader, query: UsageQuery) -> dict[int, Totals]:
    """The sum over everything that a grouping has, per step."""
    by_step: dict[int, Totals] = {}
    for row in reader.breakdown(query):
        by_step[row.step] = by_step.get(row.step, ZERO).plus(row.measures)
    return by_step


def sum_of(
    sums: Mapping[Day, DaySum],
    organization_id: str,
    days: Sequence[int],
    dimension: Dimension | None,
) -> Totals:
    """What days come to by a grouping; an event counts in each of its groups."""
    total, nothing = 0, DaySum()
    for day in days:
        found = sums.get((organization_id, day), nothing)
        total += found.plain + found.more_groups * (dimension is Dimension.GROUP)
    return totals_of(total)

"""The sums of the cube, from one snapshot, and whether its parts are consistent.

The sums of the rollups are compared with the ledger later. The narrow rollups, the group sets and
the statements themselves are compared with the rollups here, in the same snapshot.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from outlay.domain.answers import ZERO, Totals
from outlay.domain.dimension import OF_CELLS, Dimension, Grouping
from outlay.domain.discovery import NO_MERGES
from outlay.domain.ids import OrganizationId
from outlay.domain.period import BUCKETS_PER_DAY, Interval, Period
from outlay.domain.query import UsageQuery
from outlay.domain.questions import Groups, MeterUsage, SessionSummary, StepTotals
from outlay.domain.session import SessionQuery
from outlay.kit.lanes import pack, unpack
from outlay.kit.progress import Progress, Tell
from outlay.services.cube.ledger_sums import LANES, Day, DaySum, PartSum, bin_weights, totals_of
from outlay.storage.cube.rollup_questions import CellSums, Fingerprints, NarrowDifferences, Slices
from outlay.storage.cube.rollups import LATENCY, METERS, ROLLUPS, SESSIONS, USAGE, RollupSpec
from outlay.storage.cube.store import CubeReader

SLICE_DAYS: Final = 93
"""Days read at a time: few questions, and their sums fit in memory."""
EVER: Final = Period(start_bucket=0, end_bucket=2**31 - 1, timezone="UTC")
_SLICE: Final = SLICE_DAYS * BUCKETS_PER_DAY
_LANE_OF: Final = tuple(USAGE.measures.index(name) for name in LANES)


class WrongAnswer(NamedTuple):
    """An answer that differs from the rollups."""

    organization_id: OrganizationId
    days: tuple[int, ...]
    """One day, or all days of a slice if no single one is wrong."""
    dimension: Grouping | None
    """None for the total."""
    answered: Totals


class WrongPart(NamedTuple):
    """An answer that differs from a rollup other than usage."""

    organization_id: OrganizationId
    days: tuple[int, ...]
    spec: RollupSpec
    answered: tuple[int, ...]
    """By the measures of the rollup."""


@dataclass(slots=True)
class CubeSums:
    """The sums of a snapshot."""

    through_seq: int
    days: dict[Day, DaySum] = field(default_factory=dict)
    ever: dict[OrganizationId, Totals] = field(default_factory=dict)
    """Per organization, the answer of the query model for all time."""
    wrong_answers: list[WrongAnswer] = field(default_factory=list)
    wrong_parts: list[WrongPart] = field(default_factory=list)
    narrow: Mapping[str, int] = field(default_factory=dict)
    """Per narrow rollup, the number of cells in which it differs from its source."""
    cells: int = 0


def sum_cube(reader: CubeReader, salt: str, tell: Tell) -> CubeSums:
    """Read the whole cube; `tell` is called after each piece of work."""
    found = CubeSums(through_seq=reader.loaded_seq)
    slices = {spec.name: reader.ask(Slices(spec, _SLICE)) for spec in ROLLUPS}
    total, done = sum(map(len, slices.values())) + 1, 0
    for spec in ROLLUPS:
        for number in slices[spec.name]:
            start, end = number * _SLICE, (number + 1) * _SLICE
            sums = reader.ask(Fingerprints(spec, salt, start, end))
            if spec is USAGE:
                days = note_usage(found, sums)
                _compare_answers(reader, found, days, start, end, tell)
            elif spec is LATENCY:
                note_latency(found, sums, salt)
            else:
                days = note_part(found, spec, sums)
                _compare_parts(reader, found, spec, days, start, end)
            done += 1
            tell(Progress("cube", done, total))
    for organization_id in {organization_id for organization_id, _ in found.days}:
        query = UsageQuery(organization_id=organization_id, merges=NO_MERGES, period=EVER)
        found.ever[organization_id] = reader.ask(StepTotals(query)).get(0, ZERO)
    found.narrow = reader.ask(NarrowDifferences())
    tell(Progress("cube", total, total))
    return found


def note_usage(found: CubeSums, sums: Sequence[CellSums]) -> list[Day]:
    """Add sums of the usage rollup; returns their days."""
    for part in sums:
        day = found.days.setdefault((part.organization_id, part.day), DaySum())
        plain = pack([part.plain[lane] for lane in _LANE_OF])
        day.plain += plain
        day.weighted += pack([part.weighted[lane] for lane in _LANE_OF])
        day.more_groups += plain * part.part
        found.cells += part.cells
    return sorted({(part.organization_id, part.day) for part in sums})


def note_latency(found: CubeSums, sums: Sequence[CellSums], salt: str) -> None:
    """Add sums of the latency rollup."""
    bin_weight = bin_weights(salt)
    for part in sums:
        day = found.days.setdefault((part.organization_id, part.day), DaySum())
        day.latency += part.weighted[0] * bin_weight(part.part)


def note_part(found: CubeSums, spec: RollupSpec, sums: Sequence[CellSums]) -> list[Day]:
    """Add sums of a rollup other than usage; returns their days."""
    for part in sums:
        day = found.days.setdefault((part.organization_id, part.day), DaySum())
        part_of(day, spec).add(PartSum(pack(part.plain), pack(part.weighted)))
    return sorted({(part.organization_id, part.day) for part in sums})


def part_of(day: DaySum, spec: RollupSpec) -> PartSum:
    """The sums of a day in a rollup other than usage."""
    return day.meters if spec is METERS else day.sessions


def _compare_parts(
    reader: CubeReader, found: CubeSums, spec: RollupSpec, days: list[Day], start: int, end: int
) -> None:
    """Compare the answers for a slice with such a rollup."""
    period = Period(start_bucket=start, end_bucket=end, timezone="UTC")
    for organization_id, own in _by_organization(days).items():
        query = UsageQuery(organization_id=organization_id, merges=NO_MERGES, period=period)
        answered = _answered(reader, query, spec)
        if answered != parts_of(found.days, organization_id, own, spec):
            found.wrong_parts.append(WrongPart(organization_id, tuple(own), spec, answered))


def _answered(reader: CubeReader, query: UsageQuery, spec: RollupSpec) -> tuple[int, ...]:
    """The answer of the cube, by the measures of a rollup."""
    if spec is SESSIONS:
        return tuple(reader.ask(SessionSummary(SessionQuery(usage=query))).measures)
    rows = [row[2:] for row in reader.ask(MeterUsage(query))]
    return tuple(map(sum, zip(*rows, strict=True))) or (0,) * len(spec.measures)


def parts_of(
    sums: Mapping[Day, DaySum],
    organization_id: OrganizationId,
    days: Sequence[int],
    spec: RollupSpec,
) -> tuple[int, ...]:
    """The sums of days by the measures of a rollup other than usage."""
    nothing = DaySum()
    total = sum(part_of(sums.get((organization_id, day), nothing), spec).plain for day in days)
    return tuple(unpack(total, len(spec.measures)))


def _by_organization(days: Iterable[Day]) -> dict[OrganizationId, list[int]]:
    found: dict[OrganizationId, list[int]] = {}
    for organization_id, day in days:
        found.setdefault(organization_id, []).append(day)
    return found


def _compare_answers(
    reader: CubeReader,
    found: CubeSums,
    days: list[Day],
    start: int,
    end: int,
    tell: Tell,
) -> None:
    """Compare the answers by day, and by every grouping, with the sums of a slice."""
    period = Period(start_bucket=start, end_bucket=end, timezone="UTC")
    by_organization = _by_organization(days)
    for done, (organization_id, own) in enumerate(by_organization.items()):
        query = UsageQuery(
            organization_id=organization_id, merges=NO_MERGES, period=period, interval=Interval.DAY
        )
        _compare_days(found, query, own, reader.ask(StepTotals(query)))
        for dimension in OF_CELLS:
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
    """Record where answers by day are wrong."""
    organization_id, dimension = query.organization_id, query.group_by
    first = query.period.start_bucket // BUCKETS_PER_DAY
    for day in days:
        answered = answers.get(day - first, ZERO)
        if answered != sum_of(found.days, organization_id, [day], dimension):
            found.wrong_answers.append(WrongAnswer(organization_id, (day,), dimension, answered))


def _sum_by_step(reader: CubeReader, query: UsageQuery) -> dict[int, Totals]:
    """The sum per step over all values of a grouping."""
    by_step: dict[int, Totals] = {}
    for row in reader.ask(Groups(query)):
        by_step[row.step] = by_step.get(row.step, ZERO).plus(row.measures)
    return by_step


def sum_of(
    sums: Mapping[Day, DaySum],
    organization_id: OrganizationId,
    days: Sequence[int],
    dimension: Grouping | None,
) -> Totals:
    """The sums of days by a grouping; an event counts in each of its groups."""
    total, nothing = 0, DaySum()
    for day in days:
        found = sums.get((organization_id, day), nothing)
        total += found.plain + found.more_groups * (dimension is Dimension.GROUP)
    return totals_of(total)

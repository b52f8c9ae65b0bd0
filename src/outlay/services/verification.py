"""Proof that the cube equals the ledger, to the last pico-USD.

The ledger side is summed here by plain additions over event objects, sharing no code with the
loader that it checks. Compared, day by day (UTC) and organization by organization: every cell of
every rollup; and through the query model the total of the day and the sum over every grouping.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from outlay.domain.dimension import Dimension
from outlay.domain.errors import Damaged
from outlay.domain.event import CostSource, Status, UsageEvent, UsageSource, split_groups
from outlay.domain.latency import latency_bin
from outlay.domain.measure import MEASURES
from outlay.domain.period import BUCKET_US, BUCKETS_PER_DAY, Interval, Period, bucket_start
from outlay.domain.query import UsageQuery
from outlay.domain.result import ZERO, Reconciliation, Totals
from outlay.kit.clock import Clock, from_us, to_us
from outlay.services.progress import Progress
from outlay.services.projection import Projection
from outlay.storage.cube.rollups import DIMENSIONS, LATENCY, USAGE
from outlay.storage.cube.slot import CubeSlot
from outlay.storage.cube.store import CubeReader
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.verifications import find_verification, put_verification
from outlay.storage.ledger.rows import from_row
from outlay.storage.ledger.store import Ledger

ANSWER_DAYS: Final = 31
"""Days per question asked through the query model."""
EVER: Final = Period(start_bucket=0, end_bucket=2**31 - 1, timezone="UTC")
CHECKED_BATCHES: Final = 100
"""Batches between two reports of progress."""
MAX_DIFFERENCES: Final = 50
"""Differences listed; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One number that ledger and cube do not agree on."""

    where: str
    measure: str
    ledger: int
    cube: int


@dataclass(slots=True, kw_only=True)
class VerifyReport:
    """What a verification found."""

    events: int = 0
    days: int = 0
    cells: int = 0
    through_seq: int = 0
    cost_pusd: int = 0
    difference_count: int = 0
    differences: list[Difference] = field(default_factory=list)
    damage: str | None = None
    """Why the ledger itself cannot be trusted, None when every checksum was right."""

    @property
    def is_proven(self) -> bool:
        """Whether ledger and cube agree in everything."""
        return not self.difference_count and self.damage is None

    def add(self, where: str, measure: str, *, ledger: int, cube: int) -> None:
        """Note a comparison; only differences are kept."""
        if ledger == cube:
            return
        self.difference_count += 1
        if len(self.differences) < MAX_DIFFERENCES:
            self.differences.append(
                Difference(where=where, measure=measure, ledger=ledger, cube=cube)
            )


class Verification:
    """Compares ledger and cube and remembers the outcome."""

    def __init__(
        self,
        ledger: Ledger,
        slot: CubeSlot,
        projection: Projection,
        directory: Directory,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._directory = directory
        self._slot = slot
        self._projection = projection
        self._clock = clock
        self.state = Reconciliation.NOT_RUN
        """The outcome of the last verification, whichever process ran it."""
        self.verified_at: datetime | None = None
        self.refresh()

    def refresh(self) -> None:
        """Read again what is known of the directory."""
        with self._directory.read() as session:
            found = find_verification(session)
        if found is not None:
            self.state, verified_at_us = found
            self.verified_at = from_us(verified_at_us)

    def run(self) -> Iterator[Progress | VerifyReport]:
        """Verify everything; the last item is the report."""
        report = VerifyReport()
        try:
            yield from self._check_ledger(report)
        except Damaged as damage:
            report.damage = damage.message
        else:
            self._projection.catch_up()
            with self._slot.read() as reader:
                yield from self._compare(reader, report)
        self._remember(Reconciliation.VERIFIED if report.is_proven else Reconciliation.DIFFERS)
        yield report

    def _remember(self, outcome: Reconciliation) -> None:
        with self._directory.change() as session:
            put_verification(session, outcome, to_us(self._clock.now()))
        self.refresh()

    def _check_ledger(self, report: VerifyReport) -> Iterator[Progress]:
        """Read every batch back and compare its checksum."""
        target = self._ledger.newest_seq()
        for batch in self._ledger.read_all(target):
            report.events += len(batch.rows)
            if batch.last_seq == target or batch.batch_id % CHECKED_BATCHES == 0:
                yield Progress("checksums", batch.last_seq, target)

    def _compare(self, reader: CubeReader, report: VerifyReport) -> Iterator[Progress]:
        through_seq = report.through_seq = reader.loaded_seq()
        spans = {}
        for organization_id in sorted(self._ledger.organizations()):
            first_us, last_us = self._ledger.event_time_range(organization_id) or (0, 0)
            first_day = first_us // BUCKET_US // BUCKETS_PER_DAY
            last_day = last_us // BUCKET_US // BUCKETS_PER_DAY
            spans[organization_id] = range(first_day, last_day + 1)
        day_count = sum(len(days) for days in spans.values())
        counted = 0
        for organization_id, days in spans.items():
            sums = _Sums()
            for day in days:
                sums.add(day, self._compare_day(reader, report, organization_id, day, through_seq))
                if len(sums.by_day) == ANSWER_DAYS or day == days[-1]:
                    _compare_answers(reader, report, organization_id, sums)
                report.days += 1
                yield Progress("days", report.days, day_count)
            ever = UsageQuery(organization_id=organization_id, period=EVER)
            found = reader.totals(ever).get(0, ZERO)
            _compare_totals(report, f"{organization_id}, all time", sums.ever, found)
            counted += sums.ever.requests
        for name, cells in reader.narrow_differences().items():
            report.add(f"rollup {name}", "cells that differ", ledger=0, cube=cells)
        report.add(
            "all events up to the cube's position",
            "requests",
            ledger=self._ledger.count_events(through_seq),
            cube=counted,
        )

    def _compare_day(
        self,
        reader: CubeReader,
        report: VerifyReport,
        organization_id: str,
        day: int,
        through_seq: int,
    ) -> "_ExpectedDay":
        """Compare every cell of one organization's day; what the ledger has for it."""
        start, end = day * BUCKETS_PER_DAY, (day + 1) * BUCKETS_PER_DAY
        rows = self._ledger.read_window(
            organization_id, start * BUCKET_US, end * BUCKET_US, through_seq
        )
        expected = _ExpectedDay(from_row(row) for row in rows)
        report.cost_pusd += expected.total.cost_pusd
        place = f"{organization_id}, {bucket_start(start):%Y-%m-%d}"

        found_usage = {
            key: Totals._make(values)
            for key, values in reader.cells(USAGE, organization_id, start, end)
        }
        report.cells += len(found_usage)
        for key in expected.cells.keys() | found_usage.keys():
            ledger = expected.cells.get(key, ZERO)
            _compare_totals(
                report, f"{place}, cell {_cell_name(key)}", ledger, found_usage.get(key, ZERO)
            )
        found_latency = {
            key: values[0] for key, values in reader.cells(LATENCY, organization_id, start, end)
        }
        for key in expected.latency.keys() | found_latency.keys():
            report.add(
                f"{place}, latency bin {key[-1]} of {_cell_name(key)}",
                "requests",
                ledger=expected.latency[key],
                cube=found_latency.get(key, 0),
            )
        return expected


class _Sums:
    """What the ledger has, per day of a run of days and in all."""

    def __init__(self) -> None:
        self.by_day: dict[int, tuple[Totals, Totals]] = {}
        """Day → total, and the sum over groups, in which an event may count several times."""
        self.ever = ZERO

    def add(self, day: int, expected: "_ExpectedDay") -> None:
        """Note a day."""
        self.by_day[day] = (expected.total, expected.group_total)
        self.ever = self.ever.plus(expected.total)


def _compare_answers(
    reader: CubeReader, report: VerifyReport, organization_id: str, sums: _Sums
) -> None:
    """Compare what the query model answers for a run of days, and begin the next run."""
    first, last = min(sums.by_day), max(sums.by_day)
    period = Period(
        start_bucket=first * BUCKETS_PER_DAY,
        end_bucket=(last + 1) * BUCKETS_PER_DAY,
        timezone="UTC",
    )
    query = UsageQuery(organization_id=organization_id, period=period, interval=Interval.DAY)
    answers: dict[str, dict[int, Totals]] = {"total": reader.totals(query)}
    for dimension in Dimension:
        by_step: dict[int, Totals] = {}
        for row in reader.breakdown(replace(query, group_by=dimension)):
            by_step[row.step] = by_step.get(row.step, ZERO).plus(row.measures)
        answers[f"sum over every {dimension.noun}"] = by_step
    for day, (total, group_total) in sums.by_day.items():
        place = f"{organization_id}, {bucket_start(day * BUCKETS_PER_DAY):%Y-%m-%d}"
        for what, by_step in answers.items():
            overlaps = what == f"sum over every {Dimension.GROUP.noun}"
            ledger = group_total if overlaps else total
            _compare_totals(report, f"{place}, {what}", ledger, by_step.get(day - first, ZERO))
    sums.by_day = {}


def _compare_totals(report: VerifyReport, where: str, ledger: Totals, cube: Totals) -> None:
    if ledger != cube:
        for measure, left, right in zip(MEASURES, ledger, cube, strict=True):
            report.add(where, measure.name, ledger=left, cube=right)


class _ExpectedDay:
    """What the cube must say of some events, by plain addition."""

    def __init__(self, events: Iterator[UsageEvent]) -> None:
        self.cells: dict[tuple[str | int, ...], Totals] = {}
        self.latency: Counter[tuple[str | int, ...]] = Counter()
        self.total = ZERO
        self.group_total = ZERO
        for event in events:
            measures = measures_of(event)
            bucket = event.event_time_us // BUCKET_US
            key = tuple(
                bucket if name == "bucket" else str(getattr(event, name)) for name in DIMENSIONS
            )
            self.cells[key] = self.cells.get(key, ZERO).plus(measures)
            self.total = self.total.plus(measures)
            for _ in split_groups(event.groups) or [""]:
                self.group_total = self.group_total.plus(measures)
            if event.duration_us is not None:
                self.latency[(*key, latency_bin(event.duration_us))] += 1


def measures_of(event: UsageEvent) -> Totals:
    """The measures of a single event, field by field."""
    return Totals(
        requests=1,
        input_tokens=event.input_tokens,
        output_tokens=event.output_tokens,
        cache_read_input_tokens=event.cache_read_input_tokens,
        cache_write_input_tokens=event.cache_write_input_tokens,
        reasoning_output_tokens=event.reasoning_output_tokens,
        cost_pusd=event.cost_pusd,
        input_cost_pusd=event.input_cost_pusd,
        cache_read_cost_pusd=event.cache_read_cost_pusd,
        cache_write_cost_pusd=event.cache_write_cost_pusd,
        output_cost_pusd=event.output_cost_pusd,
        errors=int(event.status in {Status.UPSTREAM_ERROR, Status.GATEWAY_ERROR}),
        client_errors=int(event.status is Status.CLIENT_ERROR),
        unpriced_requests=int(event.cost_source is CostSource.UNPRICED),
        estimated_requests=int(event.usage_source is UsageSource.ESTIMATED),
        unknown_usage_requests=int(event.usage_source is UsageSource.UNKNOWN),
        adjusted_requests=event.adjusted,
        duration_us=event.duration_us or 0,
        timed_requests=int(event.duration_us is not None),
        time_to_first_token_us=event.time_to_first_token_us or 0,
        streamed_requests=int(event.time_to_first_token_us is not None),
    )


def _cell_name(key: tuple[str | int, ...]) -> str:
    """A cell as `bucket=…, model=…`, leaving out what is empty."""
    named = zip(DIMENSIONS[1:], key[1:], strict=False)
    return ", ".join(f"{name}={value}" for name, value in named if value != "")

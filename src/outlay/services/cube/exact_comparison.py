"""A difference in detail: one day of ledger and cube, compared cell by cell.

Only days whose sums differ are compared in this way, to report which numbers are wrong.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from operator import add
from typing import Final

from outlay.domain.answers import ZERO, Totals
from outlay.domain.event import SIGN, CostSource, Status, UsageEvent, UsageSource
from outlay.domain.ids import OrganizationId
from outlay.domain.latency import latency_bin
from outlay.domain.measure import MEASURES
from outlay.domain.meter import split_disjoint, split_meters
from outlay.domain.period import BUCKET_US, BUCKETS_PER_DAY, bucket_start
from outlay.domain.verification import VerifyReport
from outlay.kit.lanes import unpack
from outlay.services.cube.cube_sums import part_of
from outlay.services.cube.ledger_sums import Day, DaySum, totals_of
from outlay.storage.cube.rollup_questions import Cells
from outlay.storage.cube.rollups import (
    COMPARED,
    DIMENSIONS,
    LATENCY,
    METERS,
    SESSIONS,
    USAGE,
    RollupSpec,
)
from outlay.storage.cube.store import CubeReader
from outlay.storage.ledger.reading import LedgerReader
from outlay.storage.ledger.rows import from_row

_WINDOW: Final = 4
"""Buckets whose cells are in memory at a time: an hour; all of them for days with few events."""
_FEW_EVENTS: Final = 20_000

_SECONDS: Final = BUCKET_US // 1_000_000

_Key = tuple[str | int, ...]


def compare_day(
    reader: CubeReader, ledger: LedgerReader, day: Day, events: int, report: VerifyReport
) -> bool:
    """Report the cells of a day in which the cube differs; False if there are none.

    `events` is the number of events of the day.
    """
    before = report.difference_count
    organization_id, number = day
    start, end = number * BUCKETS_PER_DAY, (number + 1) * BUCKETS_PER_DAY
    length = _WINDOW if events > _FEW_EVENTS else BUCKETS_PER_DAY
    through_seq = reader.loaded_seq
    for first in range(start, end, length):
        last = first + length
        rows = ledger.read_window(organization_id, first * BUCKET_US, last * BUCKET_US, through_seq)
        expected = _Expected(map(from_row, rows))
        _compare_cells(reader, expected, (organization_id, first, last), place_of(day), report)
    return report.difference_count > before


def compare_sums(report: VerifyReport, day: Day, ledger: DaySum, cube: DaySum) -> None:
    """Report the sums in which a day differs."""
    place = place_of(day)
    for what, left, right in (
        ("total", ledger.plain, cube.plain),
        ("sum weighted by cell", ledger.weighted, cube.weighted),
        ("sum over further groups", ledger.more_groups, cube.more_groups),
    ):
        compare_totals(report, f"{place}, {what}", totals_of(left), totals_of(right))
    where = f"{place}, sum over latency bins weighted by cell"
    report.add(where, "requests", ledger=ledger.latency, cube=cube.latency)
    for spec in (METERS, SESSIONS):
        mine, theirs, width = part_of(ledger, spec), part_of(cube, spec), len(spec.measures)
        for what, left, right in (
            (f"sum over all {spec.name}", mine.plain, theirs.plain),
            (f"sum over all {spec.name} weighted by cell", mine.weighted, theirs.weighted),
        ):
            sums = (unpack(left, width), unpack(right, width))
            compare_measures(report, spec, f"{place}, {what}", *sums)


def place_of(day: Day) -> str:
    """The label of a day of an organization."""
    return f"{day[0]}, {bucket_start(day[1] * BUCKETS_PER_DAY):%Y-%m-%d}"


def compare_totals(report: VerifyReport, where: str, ledger: Totals, cube: Totals) -> None:
    """Report the measures in which two totals differ."""
    if ledger != cube:
        for measure, left, right in zip(MEASURES, ledger, cube, strict=True):
            report.add(where, measure.name, ledger=left, cube=right)


def compare_measures(
    report: VerifyReport,
    spec: RollupSpec,
    where: str,
    ledger: Sequence[int],
    cube: Sequence[int],
) -> None:
    """Report the measures of a rollup in which ledger and cube differ."""
    for measure, left, right in zip(spec.measures, ledger, cube, strict=True):
        report.add(where, measure, ledger=left, cube=right)


def _compare_cells(
    reader: CubeReader,
    expected: "_Expected",
    window: tuple[OrganizationId, int, int],
    place: str,
    report: VerifyReport,
) -> None:
    found = {key: Totals._make(values) for key, values in reader.ask(Cells(USAGE, *window))}
    for key in expected.cells.keys() | found.keys():
        where = f"{place}, cell {_cell_name(key)}"
        compare_totals(report, where, expected.cells.get(key, ZERO), found.get(key, ZERO))
    bins = {key: values[0] for key, values in reader.ask(Cells(LATENCY, *window))}
    for key in expected.latency.keys() | bins.keys():
        report.add(
            f"{place}, latency bin {key[-1]} of {_cell_name(key)}",
            "requests",
            ledger=expected.latency[key],
            cube=bins.get(key, 0),
        )
    for spec in (METERS, SESSIONS):
        wanted, cells = expected.parts[spec.name], dict(reader.ask(Cells(spec, *window)))
        nothing = (0,) * len(spec.measures)
        for key in wanted.keys() | cells.keys():
            where = f"{place}, {spec.name} {_cell_name(key, spec)}"
            sums = (wanted.get(key, nothing), cells.get(key, nothing))
            compare_measures(report, spec, where, *sums)


class _Expected:
    """The cells that the cube must have for some events, by plain addition."""

    def __init__(self, events: Iterable[UsageEvent]) -> None:
        self.cells: dict[_Key, Totals] = {}
        self.latency: Counter[_Key] = Counter()
        self.parts: dict[str, dict[_Key, tuple[int, ...]]] = {METERS.name: {}, SESSIONS.name: {}}
        for event in events:
            sign = SIGN[event.amendment]
            if not sign:
                continue
            measures = Totals._make(sign * value for value in measures_of(event))
            bucket = event.event_time_us // BUCKET_US
            key = tuple(
                bucket if name == "bucket" else str(getattr(event, name)) for name in DIMENSIONS
            )
            self.cells[key] = self.cells.get(key, ZERO).plus(measures)
            if event.duration_us is not None:
                self.latency[(*key, latency_bin(event.duration_us))] += sign
            for meter, quantity, cost in _meters_of(event):
                compared = [getattr(measures, name) for name in COMPARED]
                own = (sign, sign * quantity, sign * cost, *compared)
                self._add(METERS, (*key, meter), own)
            if event.session_id:
                second = event.event_time_us // 1_000_000 % _SECONDS
                counts = [getattr(measures, name) for name in SESSIONS.measures]
                self._add(SESSIONS, (*key, event.session_id, second), tuple(counts))

    def _add(self, spec: RollupSpec, cell: _Key, values: tuple[int, ...]) -> None:
        known = self.parts[spec.name].get(cell, (0,) * len(values))
        self.parts[spec.name][cell] = tuple(map(add, known, values))


def _meters_of(event: UsageEvent) -> Iterator[tuple[str, int, int]]:
    """The meters of an event, with their quantities and costs."""
    quantities, costs = split_disjoint(event.meters), split_meters(event.meter_costs)
    for meter in quantities.keys() | costs.keys():
        yield meter, quantities.get(meter, 0), costs.get(meter, 0)


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
        meter_cost_pusd=event.meter_cost_pusd,
        reported_cost_pusd=event.reported_cost_pusd or 0,
        computed_beside_pusd=(event.computed_cost_pusd or 0) if event.is_compared else 0,
        uncompared_cost_pusd=0 if event.is_compared else event.reported_cost_pusd or 0,
        errors=int(event.status in {Status.UPSTREAM_ERROR, Status.GATEWAY_ERROR}),
        client_errors=int(event.status is Status.CLIENT_ERROR),
        unpriced_requests=int(
            event.cost_source is CostSource.UNPRICED
            and event.usage_source is not UsageSource.UNKNOWN
        ),
        partly_priced_requests=int(event.cost_source is CostSource.PARTIAL),
        reported_cost_requests=int(event.reported_cost_pusd is not None),
        uncompared_requests=int(event.reported_cost_pusd is not None and not event.is_compared),
        estimated_requests=int(event.usage_source is UsageSource.ESTIMATED),
        unknown_usage_requests=int(event.usage_source is UsageSource.UNKNOWN),
        adjusted_requests=int(event.adjusted),
        duration_us=event.duration_us or 0,
        timed_requests=int(event.duration_us is not None),
        time_to_first_token_us=event.first_token_us or 0,
        streamed_requests=int(event.first_token_us is not None),
    )


def _cell_name(key: _Key, spec: RollupSpec = USAGE) -> str:
    """A cell as `bucket=…, model=…`, leaving out what is empty."""
    named = zip(spec.dimensions[1:], key[1:], strict=False)
    return ", ".join(f"{name}={value}" for name, value in named if value != "")

"""Answers to usage questions: one way from a UsageQuery to numbers, for every page and endpoint."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime

from outlay.domain.comparison_period import Compare, elapsed_part
from outlay.domain.dimension import Dimension, Grouping
from outlay.domain.discovery import Merges
from outlay.domain.errors import Invalid
from outlay.domain.ids import OrganizationId
from outlay.domain.latency import quantile_us
from outlay.domain.measure import Rank
from outlay.domain.period import (
    Interval,
    Period,
    Preset,
    period_of_dates,
    period_of_preset,
    steps_of,
)
from outlay.domain.query import (
    CORE_MEASURES,
    LATENCY_MEASURES,
    QUALITY_MEASURES,
    RowQuery,
    UsageQuery,
)
from outlay.domain.result import (
    NO_BREAKDOWN,
    ZERO,
    Breakdown,
    Comparison,
    Entry,
    EntryKind,
    Freshness,
    Totals,
    sum_totals,
)
from outlay.kit.clock import Clock, from_us, to_us
from outlay.services.analytics.kinds import read_kinds
from outlay.services.analytics.labels import read_labels
from outlay.services.cube.projection import Projection
from outlay.services.cube.verification import Verification
from outlay.services.directory.discovery import Discovery
from outlay.storage.cube.caching import Answers, RememberingReader
from outlay.storage.cube.merging import MergingReader
from outlay.storage.cube.slot import CubeSlot
from outlay.storage.cube.store import BreakdownRow, CubeReader
from outlay.storage.directory.engine import Directory
from outlay.storage.ledger.store import Ledger

PERCENTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyValue:
    """Latency of one value of a dimension."""

    key: str
    """Empty for requests without a value."""
    totals: Totals
    quantiles: Mapping[float, float | None]
    """Quantile → µs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyBreakdown:
    """Latency in all and value by value."""

    total: Totals
    quantiles: Mapping[float, float | None]
    values: Sequence[LatencyValue]


class Analytics:
    """Runs questions against the cube and names what comes back."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        slot: CubeSlot,
        directory: Directory,
        discovery: Discovery,
        projection: Projection,
        verification: Verification,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._slot = slot
        self._directory = directory
        self._discovery = discovery
        self._projection = projection
        self._verification = verification
        self._clock = clock
        self._answers = Answers()

    def resolve_period(
        self,
        organization_id: OrganizationId,
        *,
        timezone: str,
        preset: Preset | None = None,
        from_date: date | None = None,
        to_date: date | None = None,
    ) -> Period:
        """The period that a preset or a pair of dates means now; Invalid for half a pair."""
        if preset is not None:
            if from_date or to_date:
                raise Invalid("give either preset or from and to, not both", field="preset")
            first = self.first_event(organization_id) if preset is Preset.ALL else None
            return period_of_preset(preset, self._clock.now(), timezone, first_event=first)
        if from_date is None or to_date is None:
            missing = "to" if to_date is None else "from"
            raise Invalid("from and to go together; one of them is missing", field=missing)
        return period_of_dates(from_date, to_date, timezone)

    def now_us(self) -> int:
        """The present instant in µs since the epoch."""
        return to_us(self._clock.now())

    def has_events(self, organization_id: OrganizationId) -> bool:
        """Whether the organization has ever had a request."""
        return self.first_event(organization_id) is not None

    def first_event(self, organization_id: OrganizationId) -> datetime | None:
        """When the organization's first request was, None before it."""
        times = self._ledger.event_time_range(organization_id)
        return from_us(times[0]) if times else None

    def breakdown(self, query: UsageQuery) -> Breakdown:
        """Measures by step and group, with Other and Unattributed, from one snapshot."""
        with self.read() as reader:
            return self.breakdown_in(reader, query)

    def compare(self, query: UsageQuery) -> Comparison:
        """The breakdown of a query beside the earlier period that it names, from one snapshot."""
        with self.read() as reader:
            return self.compare_in(reader, query)

    def compare_in(self, reader: CubeReader, query: UsageQuery) -> Comparison:
        """The same from a snapshot that several questions share."""
        period, beside = query.period, query.beside
        query = replace(query, beside=None)
        elapsed = elapsed_part(period, self._clock.now())
        nothing = replace(period, end_bucket=period.start_bucket, preset=None)
        earlier = beside.period if beside else nothing
        earlier_part = beside.part(period, elapsed) if beside else nothing
        current = self.breakdown_in(reader, query)
        named = tuple(entry.key for entry in current.entries if entry.kind is EntryKind.VALUE)
        plain = replace(query, then_by=None, named=named)
        before = (
            self.breakdown_in(reader, replace(plain, period=earlier)) if beside else NO_BREAKDOWN
        )
        part_total, part_entries = self._part(reader, plain, before, earlier_part)
        return Comparison(
            compare=beside.compare if beside else Compare.NONE,
            period=period,
            elapsed=elapsed,
            current=current,
            earlier_period=earlier,
            earlier_part=earlier_part,
            earlier_steps=tuple(before.at(index) for index in range(len(before.steps))),
            earlier_windows=before.steps,
            interval=query.interval,
            first_event=self.first_event(query.organization_id),
            earlier_total=part_total,
            earlier_entries={
                entry.key: part_entries.get(entry.key, ZERO) for entry in current.entries
            },
        )

    def _part(
        self, reader: CubeReader, query: UsageQuery, whole: Breakdown, part: Period
    ) -> tuple[Totals, dict[str, Totals]]:
        """Totals and those of each entry over the first part of an answer's period.

        Whole steps are summed from the answer; only the one that is cut is asked for again.
        """
        ends = [step.end_bucket for step in whole.steps]
        full = sum(end <= part.end_bucket for end in ends)
        total = sum_totals([whole.at(index) for index in range(full)])
        entries = {
            entry.key: sum_totals([entry.at(index) for index in range(full)])
            for entry in whole.entries
        }
        start = ends[full - 1] if full else part.start_bucket
        if start < part.end_bucket:
            rest = replace(part, start_bucket=start)
            cut = self.breakdown_in(reader, replace(query, period=rest, interval=Interval.TOTAL))
            total = total.plus(cut.total)
            for entry in cut.entries:
                entries[entry.key] = entries.get(entry.key, ZERO).plus(entry.total)
        return total, entries

    @contextmanager
    def read(self) -> Iterator[CubeReader]:
        """One snapshot for several questions, whose answers then agree; they must not be changed.

        What has been asked before is answered from memory while nothing in its window has changed.
        """
        with self._slot.read() as reader:
            remembering = RememberingReader(
                reader, self._projection.changes, self._answers, self._slot.cube.edition
            )
            yield MergingReader(remembering, self._discovery.merges)

    @property
    def edition(self) -> str:
        """The edition of the ledger that answers come from; the same throughout a snapshot."""
        return self._slot.cube.edition

    def merges(self, organization_id: OrganizationId) -> Merges:
        """Which values count as others in every answer."""
        return self._discovery.merges(organization_id)

    def labels(self, organization_id: OrganizationId, dimension: Grouping) -> Mapping[str, str]:
        """What to call the values of a dimension."""
        return read_labels(self._directory, organization_id, dimension)

    def percentiles(self, query: UsageQuery) -> Mapping[float, float | None]:
        """Latency quantiles in microseconds, within the histogram's error; None without any."""
        with self.read() as reader:
            return quantiles_us(reader.latency_bins(query))

    def latency(self, query: UsageQuery, dimension: Grouping) -> LatencyBreakdown:
        """Latency in all and by value of a dimension, most requests first, from one snapshot."""
        with self.read() as reader:
            return self.latency_in(reader, query, dimension)

    def latency_in(
        self, reader: CubeReader, query: UsageQuery, dimension: Grouping
    ) -> LatencyBreakdown:
        """The same from a snapshot that several questions share."""
        whole = replace(
            query,
            group_by=None,
            then_by=None,
            interval=Interval.TOTAL,
            measures=_with_quality((*CORE_MEASURES, *LATENCY_MEASURES)),
        )
        bins = reader.latency_by(whole, dimension)
        used = by_value(reader, whole, dimension)
        if dimension.is_single_valued:
            total = sum_totals(list(used.values()))
            all_bins: Mapping[int, int] = sum(map(Counter, bins.values()), Counter())
        else:
            total = reader.totals(whole).get(0, ZERO)
            all_bins = reader.latency_bins(whole)
        values = [
            LatencyValue(key=key, totals=totals, quantiles=quantiles_us(bins.get(key, {})))
            for key, totals in used.items()
        ]
        values.sort(key=lambda value: (-value.totals.requests, value.key))
        return LatencyBreakdown(total=total, quantiles=quantiles_us(all_bins), values=values)

    def unpriced(self, query: UsageQuery) -> list[tuple[str, int]]:
        """Mappings of requests whose tokens have no price, and how many, most first."""
        with self.read() as reader:
            return self.unpriced_in(reader, query)

    def unpriced_in(self, reader: CubeReader, query: UsageQuery) -> list[tuple[str, int]]:
        """The same from a snapshot that several questions share."""
        rows = RowQuery(
            organization_id=query.organization_id,
            period=query.period,
            measures=("unpriced_requests",),
            group_by=(Dimension.MAPPING,),
            filters=query.filters,
        )
        found = [(row.keys[0], row.measures.unpriced_requests) for row in reader.rows(rows)]
        return sorted(
            ((key, count) for key, count in found if count), key=lambda pair: (-pair[1], pair[0])
        )

    def freshness(self, reader: CubeReader | None = None) -> Freshness:
        """How complete the answers of a reader are; without one, those that are asked from now on.

        To be called before the questions, unless with their reader.
        """
        position = reader.loaded_seq() if reader is not None else None
        return Freshness(
            data_through=self._projection.data_through(position),
            pending_events=self._projection.pending_events,
            failure=self._projection.failure,
            verified=self._verification.last,
        )

    # From rows to entries

    def breakdown_in(self, reader: CubeReader, query: UsageQuery) -> Breakdown:
        """The same from a snapshot that several questions share."""
        query = replace(query, measures=_with_quality(query.measures))
        if query.group_by is Dimension.KIND:
            return read_kinds(reader, query)
        entries: tuple[Entry, ...] = ()
        if query.group_by is not None:
            rows = reader.breakdown(query)
            labels = read_labels(self._directory, query.organization_id, query.group_by)
            entries = _entries(rows, query.ranks[0], labels)
            if query.then_by is not None:
                entries = self._with_parts(reader, query, entries)
        if query.group_by is not None and query.group_by.is_single_valued:
            by_step = _sum_by_step(rows)
        else:
            by_step = reader.totals(replace(query, group_by=None, then_by=None))
        return Breakdown(
            group_by=query.group_by,
            steps=steps_of(query.period, query.interval),
            total=sum_totals(list(by_step.values())),
            by_step=by_step,
            entries=entries,
        )

    def _with_parts(
        self, reader: CubeReader, query: UsageQuery, entries: tuple[Entry, ...]
    ) -> tuple[Entry, ...]:
        """The entries, each broken down by the second level."""
        if query.then_by is None:
            return entries
        named = tuple(entry.key for entry in entries if entry.kind is EntryKind.VALUE)
        labels = read_labels(self._directory, query.organization_id, query.then_by)
        rank = query.ranks[0]
        parts: dict[tuple[str, str], list[BreakdownRow]] = {}
        for row in reader.nested(query, named):
            parts.setdefault((row.kind, row.key or row.kind), []).append(row.part)
        return tuple(
            replace(
                entry,
                parts=_entries(parts.get((entry.kind, entry.key), []), rank, labels),
            )
            for entry in entries
        )


def _with_quality(measures: tuple[str, ...]) -> tuple[str, ...]:
    """The measures, and those that say how far totals can be trusted."""
    return tuple(dict.fromkeys((*measures, *QUALITY_MEASURES)))


def quantiles_us(bins: Mapping[int, int]) -> dict[float, float | None]:
    """The percentiles that answers have, in µs; None without a timed request."""
    return {q: quantile_us(bins, q) for q in PERCENTILES}


def by_value(reader: CubeReader, query: UsageQuery, dimension: Grouping) -> dict[str, Totals]:
    """Totals of a window by value of a dimension; under the empty key what has none."""
    rows = reader.rows(
        RowQuery(
            organization_id=query.organization_id,
            period=query.period,
            measures=query.measures,
            group_by=(dimension,),
            filters=query.filters,
        )
    )
    return {row.keys[0]: row.measures for row in rows}


def _sum_by_step(rows: list[BreakdownRow]) -> dict[int, Totals]:
    by_step: dict[int, Totals] = {}
    for row in rows:
        known = by_step.get(row.step)
        by_step[row.step] = row.measures if known is None else known.plus(row.measures)
    return by_step


def cut_entries(
    values: Mapping[str, Totals], top: int, ranks: tuple[Rank, ...]
) -> tuple[Entry, ...]:
    """Entries of totals by value: the `top` by any rank, then Other and Unattributed."""
    kept: set[str] = {""}
    for rank in ranks:
        placed = sorted(values, key=lambda key: (-values[key].rank_value(rank), key))
        kept.update([key for key in placed if key][:top])
    others = values.keys() - kept
    rows = [
        BreakdownRow(0, EntryKind.VALUE if key else EntryKind.UNATTRIBUTED, key, len(others), total)
        for key, total in values.items()
        if key in kept
    ]
    if others:
        rest = sum_totals([values[key] for key in others])
        rows.append(BreakdownRow(0, EntryKind.OTHER, "", len(others), rest))
    return _entries(rows, ranks[0], {})


def _entries(rows: list[BreakdownRow], rank: Rank, labels: Mapping[str, str]) -> tuple[Entry, ...]:
    """Entries by a rank, descending, ties by key; then Other, then Unattributed."""
    grouped: dict[tuple[str, str], dict[int, Totals]] = {}
    others = rows[0].others if rows else 0
    for row in rows:
        grouped.setdefault((row.kind, row.key), {})[row.step] = row.measures
    entries = [
        Entry(
            kind=EntryKind(kind),
            key=key or kind,
            label=labels.get(key, key) if key else kind.capitalize(),
            total=sum_totals(list(by_step.values())),
            by_step=by_step,
            members=others if kind == EntryKind.OTHER else 1,
        )
        for (kind, key), by_step in grouped.items()
    ]
    order = list(EntryKind)
    entries.sort(
        key=lambda entry: (order.index(entry.kind), -entry.total.rank_value(rank), entry.key)
    )
    return tuple(entries)

"""Answering usage questions: one path from a UsageQuery to numbers, for every page and endpoint."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime

from outlay.domain.answers import (
    NO_BREAKDOWN,
    ZERO,
    Breakdown,
    BreakdownRow,
    Comparison,
    Entry,
    EntryKind,
    Totals,
    sum_totals,
)
from outlay.domain.comparison_period import Compare, elapsed_part
from outlay.domain.dimension import Dimension, Grouping
from outlay.domain.discovery import Merges
from outlay.domain.errors import Invalid
from outlay.domain.freshness import Freshness
from outlay.domain.ids import OrganizationId
from outlay.domain.period import (
    Interval,
    Period,
    Preset,
    period_of_dates,
    period_of_preset,
    steps_of,
)
from outlay.domain.query import (
    UsageQuery,
)
from outlay.domain.questions import (
    Groups,
    LatencyBins,
    NestedGroups,
    Rows,
    StepTotals,
)
from outlay.kit.clock import Clock, from_us, to_us
from outlay.services.analytics.breakdowns import entries_of, sum_by_step, with_quality
from outlay.services.analytics.kinds import read_kinds
from outlay.services.analytics.labels import read_labels
from outlay.services.analytics.latencies import LatencyBreakdown, quantiles_us, read_latency
from outlay.services.cube.projection import Projection
from outlay.services.cube.verification import Verification
from outlay.services.directory.discovery import Discovery
from outlay.storage.cube.caching import AnswerCache, CachingReader
from outlay.storage.cube.slot import CubeSlot
from outlay.storage.cube.store import CubeReader
from outlay.storage.directory.engine import Directory
from outlay.storage.ledger.store import Ledger


class Analytics:
    """Asks the cube questions and adds labels to the answers."""

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
        self._cache = AnswerCache()

    def resolve_period(
        self,
        organization_id: OrganizationId,
        *,
        timezone: str,
        preset: Preset | None = None,
        from_date: date | None = None,
        to_date: date | None = None,
    ) -> Period:
        """The period that a preset or a pair of dates means now; raises Invalid if only one date is
        given."""
        if preset is not None:
            if from_date or to_date:
                raise Invalid("Use either `preset` or `from` and `to`, not both.", field="preset")
            first = self.first_event(organization_id) if preset is Preset.ALL else None
            return period_of_preset(preset, self._clock.now(), timezone, first_event=first)
        if from_date is None or to_date is None:
            missing = "to" if to_date is None else "from"
            raise Invalid("`from` and `to` must be given together.", field=missing)
        return period_of_dates(from_date, to_date, timezone)

    def now_us(self) -> int:
        """The current instant in µs since the epoch."""
        return to_us(self._clock.now())

    def has_events(self, organization_id: OrganizationId) -> bool:
        """Whether the organization has ever had a request."""
        return self.first_event(organization_id) is not None

    def first_event(self, organization_id: OrganizationId) -> datetime | None:
        """Time of the organization's first request; None if there is none."""
        times = self._ledger.event_time_range(organization_id)
        return from_us(times[0]) if times else None

    def breakdown(self, query: UsageQuery) -> Breakdown:
        """Measures by step and group, with Other and Unattributed, from one snapshot."""
        with self.read() as reader:
            return self.breakdown_in(reader, query)

    def compare(self, query: UsageQuery) -> Comparison:
        """The breakdown of a query and of the earlier period that it is compared with."""
        with self.read() as reader:
            return self.compare_in(reader, query)

    def compare_in(self, reader: CubeReader, query: UsageQuery) -> Comparison:
        """Like `compare`, from a snapshot that several questions share."""
        period, beside = query.period, query.beside
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
        """Totals, overall and by entry, of the first part of an answer's period.

        Whole steps are summed from the answer; only a step that is cut needs another question.
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
        """One snapshot for several questions, so that their answers are consistent.

        Answers are cached as long as nothing in their period changes.
        """
        with self._slot.read() as reader:
            yield CachingReader(
                reader, self._projection.changes, self._cache, self._slot.cube.edition
            )

    @property
    def edition(self) -> str:
        """The edition of the ledger that answers come from; constant within a snapshot."""
        return self._slot.cube.edition

    def merges(self, organization_id: OrganizationId) -> Merges:
        """Which values are merged into others; every query of the organization needs them."""
        return self._discovery.merges(organization_id)

    def labels(self, organization_id: OrganizationId, dimension: Grouping) -> Mapping[str, str]:
        """The labels of a dimension's values."""
        return read_labels(self._directory, organization_id, dimension)

    def percentiles(self, query: UsageQuery) -> Mapping[float, float | None]:
        """Latency quantiles in microseconds, within the error of the histogram; None if no request
        has a duration."""
        with self.read() as reader:
            return quantiles_us(reader.ask(LatencyBins(query)))

    def latency(self, query: UsageQuery, dimension: Grouping) -> LatencyBreakdown:
        """Latency overall and by value of a dimension, most requests first."""
        with self.read() as reader:
            return read_latency(reader, query, dimension)

    def unpriced_in(self, reader: CubeReader, query: UsageQuery) -> list[tuple[str, int]]:
        """Models and routes with unpriced requests, and their number of requests, most first."""
        rows = replace(query.by(Dimension.MAPPING), measures=("unpriced_requests",))
        found = [(row.keys[0], row.measures.unpriced_requests) for row in reader.ask(Rows(rows))]
        return sorted(
            ((key, count) for key, count in found if count), key=lambda pair: (-pair[1], pair[0])
        )

    def freshness(self, reader: CubeReader | None = None) -> Freshness:
        """How complete the answers of a reader are; without a reader, the answers of later readers.

        Without a reader, call it before asking questions.
        """
        position = reader.loaded_seq if reader is not None else None
        return Freshness(
            data_through=self._projection.data_through(position),
            pending_events=self._projection.pending_events,
            failure=self._projection.failure,
            verified=self._verification.last,
        )

    # From rows to entries

    def breakdown_in(self, reader: CubeReader, query: UsageQuery) -> Breakdown:
        """Like `breakdown`, from a snapshot that several questions share."""
        query = replace(query, measures=with_quality(query.measures))
        if query.group_by is Dimension.KIND:
            return read_kinds(reader, query)
        entries: tuple[Entry, ...] = ()
        by_step: Mapping[int, Totals]
        if query.group_by is not None:
            rows = reader.ask(Groups(query))
            labels = read_labels(self._directory, query.organization_id, query.group_by)
            entries = entries_of(rows, query.ranks[0], labels)
            if query.then_by is not None:
                entries = self._with_parts(reader, query, entries)
        if query.group_by is not None and query.group_by.is_single_valued:
            by_step = sum_by_step(rows)
        else:
            by_step = reader.ask(StepTotals(replace(query, group_by=None, then_by=None)))
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
        """The entries, each broken down by the second dimension."""
        if query.then_by is None:
            return entries
        named = tuple(entry.key for entry in entries if entry.kind is EntryKind.VALUE)
        labels = read_labels(self._directory, query.organization_id, query.then_by)
        rank = query.ranks[0]
        parts: dict[tuple[str, str], list[BreakdownRow]] = {}
        for row in reader.ask(NestedGroups(query, named)):
            parts.setdefault((row.kind, row.key or row.kind), []).append(row.part)
        return tuple(
            replace(
                entry,
                parts=entries_of(parts.get((entry.kind, entry.key), []), rank, labels),
            )
            for entry in entries
        )

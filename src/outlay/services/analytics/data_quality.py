"""Why numbers of a period may be incomplete: parts without a price, and unknown counters.

The cube knows the hours with partly priced requests, and the ledger's rows of those hours have the
missing parts. At most `MAX_ROWS` rows are read, newest first; the answer says how far back it goes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from outlay.domain.answers import ZERO
from outlay.domain.event import CostSource
from outlay.domain.meter import METERS
from outlay.domain.period import BUCKET_US, Interval, bucket_start, steps_of
from outlay.domain.query import CORE_MEASURES, UsageQuery
from outlay.domain.questions import StepTotals
from outlay.kit.clock import from_us
from outlay.services.analytics.log_windows import PART_ROWS, Span
from outlay.storage.cube.store import CubeReader
from outlay.storage.ledger.log import LogFilter
from outlay.storage.ledger.marks import Marks
from outlay.storage.ledger.store import Ledger

MAX_ROWS: Final = 100_000
"""Maximum number of ledger rows read per question: about a tenth of a second."""

_HOURLY_DAYS: Final = 366
"""The longest period, in days, that is searched hour by hour."""


class PartKind(StrEnum):
    """The kind of a part without a price."""

    METER = "meter"
    """A meter, or a token count."""
    COUNTER = "counter"
    """A provider's counter that Outlay does not know."""
    CONTEXT = "context"
    """A price context, `service_tier=flex`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingPart:
    """Something without a price, and the number of partly priced requests that have it."""

    name: str
    kind: PartKind
    title: str
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingParts:
    """Parts of partly priced requests that have no price, most requests first."""

    parts: Sequence[MissingPart] = ()
    read_from: datetime | None = None
    """The earliest request that was read; None if all were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadCounter:
    """A counter of a provider that is unknown to Outlay."""

    provider: str
    name: str
    requests: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadCounters:
    """Such counters, most requests first."""

    counters: Sequence[UnreadCounter] = ()
    read_from: datetime | None = None
    """The earliest request that was read; None if all were."""


class DataQuality:
    """Finds out why numbers of a period may be incomplete."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def missing_parts(self, reader: CubeReader, query: UsageQuery) -> MissingParts:
        """The parts without a price of a query's partly priced requests."""
        marks, read_from = self._marks(reader, query, is_partial=True)
        counts: dict[tuple[str, bool], int] = {}
        for one in marks:
            if one.cost_source == CostSource.PARTIAL:
                unread = set(one.unread.split(","))
                for name in filter(None, one.unpriced_parts.split(",")):
                    place = (name, name in unread)
                    counts[place] = counts.get(place, 0) + one.requests
        parts = []
        for (name, is_unread), count in counts.items():
            kind, title = describe_part(name, is_unread)
            parts.append(MissingPart(name=name, kind=kind, title=title, requests=count))
        parts.sort(key=lambda part: (-part.requests, part.name))
        return MissingParts(parts=parts, read_from=read_from)

    def unread_counters(self, reader: CubeReader, query: UsageQuery) -> UnreadCounters:
        """The unknown counters of a query's requests."""
        marks, read_from = self._marks(reader, query, is_partial=False)
        found: dict[tuple[str, str], tuple[int, int, int]] = {}
        for one in marks:
            for name in filter(None, one.unread.split(",")):
                count, first, last = found.get((one.provider, name), (0, one.first_us, one.last_us))
                found[one.provider, name] = (
                    count + one.requests,
                    min(first, one.first_us),
                    max(last, one.last_us),
                )
        counters = [
            UnreadCounter(
                provider=provider,
                name=name,
                requests=count,
                first=from_us(first),
                last=from_us(last),
            )
            for (provider, name), (count, first, last) in found.items()
        ]
        counters.sort(key=lambda one: (-one.requests, one.provider, one.name))
        return UnreadCounters(counters=counters, read_from=read_from)

    def _marks(
        self, reader: CubeReader, query: UsageQuery, *, is_partial: bool
    ) -> tuple[list[Marks], datetime | None]:
        """The marks of a question's requests, and the earliest time that was read.

        `is_partial` leaves out hours without a partly priced request.
        """
        spans, read_from = self._spans(reader, query, is_partial=is_partial)
        values = {
            dimension: query.merges.with_merged(dimension, named)
            for dimension, named in query.filters.items()
        }
        through_seq = reader.loaded_seq
        marks: list[Marks] = []
        for span in spans:
            marks += self._ledger.read_marks(
                LogFilter(
                    organization_id=query.organization_id,
                    start_us=span.start * BUCKET_US,
                    end_us=span.end * BUCKET_US,
                    values=values,
                    through_seq=through_seq,
                )
            )
        return marks, read_from

    def _spans(
        self, reader: CubeReader, query: UsageQuery, *, is_partial: bool
    ) -> tuple[list[Span], datetime | None]:
        """The parts of the ledger to read, and the earliest time read if that is not everything."""
        period = query.period
        asked = replace(
            query,
            group_by=None,
            then_by=None,
            interval=Interval.HOUR if period.days <= _HOURLY_DAYS else Interval.DAY,
            measures=(*CORE_MEASURES, "partly_priced_requests"),
        )
        matching = reader.ask(StepTotals(asked))
        sizes = reader.ask(StepTotals(replace(asked, filters={}))) if query.filters else matching
        steps = steps_of(period, asked.interval)
        wanted = (
            (step, sizes.get(index, ZERO).requests)
            for index, step in reversed([*enumerate(steps)])
            if (at := matching.get(index)) is not None
            and (at.partly_priced_requests if is_partial else at.requests)
        )
        spans: list[Span] = []
        rows = 0
        for step, size in wanted:
            rows += size
            if rows > MAX_ROWS:
                return spans, bucket_start(spans[-1].start if spans else period.end_bucket)
            if spans and spans[-1].start == step.end_bucket and spans[-1].rows + size < PART_ROWS:
                spans[-1] = Span(step.start_bucket, spans[-1].end, spans[-1].rows + size)
            else:
                spans.append(Span(step.start_bucket, step.end_bucket, size))
        return spans, None


def describe_part(name: str, is_unread: bool) -> tuple[PartKind, str]:
    """The kind and the title of a part without a price."""
    if is_unread:
        return PartKind.COUNTER, name
    if name in METERS:
        return PartKind.METER, METERS[name].title
    if "=" in name:
        return PartKind.CONTEXT, name
    return PartKind.METER, name.replace("_", " ").capitalize()  # a token count

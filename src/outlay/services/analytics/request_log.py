"""The log of single requests: filtered, in any order, paged, with sums.

The cube knows the buckets with matching requests, so rare values are found without reading
everything in between. The log shows no event after the ledger position of the cube, so that both
agree. Conditions that the cube cannot evaluate, such as the duration of a single request, are
checked against the ledger's rows in parts: at most `MAX_ROWS`, without holding a connection in
between.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final

import msgspec

from outlay.domain.actor import Actor
from outlay.domain.amendment import root_of, standing, version_id
from outlay.domain.answers import Breakdown, Totals, sum_totals
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid, NotFound
from outlay.domain.event import SIGN, Amendment, UsageEvent
from outlay.domain.ids import EventId
from outlay.domain.period import BUCKET_US
from outlay.domain.policy import Permission
from outlay.domain.query import UsageQuery
from outlay.domain.questions import Buckets, SessionBuckets
from outlay.domain.same_answer import is_same_answer
from outlay.domain.session import SessionQuery
from outlay.services.analytics.analytics import Analytics
from outlay.services.analytics.log_windows import PART_ROWS, Span, cut_spans, step_at
from outlay.services.analytics.own_usage import owner_of
from outlay.storage.cube.store import CubeReader
from outlay.storage.ledger.log import (
    LEAST_VALUE,
    MOST_VALUE,
    NEWEST_FIRST,
    NO_CONDITIONS,
    LogConditions,
    LogFilter,
    LoggedEvent,
    LogOrder,
    LogPosition,
    LogSort,
)
from outlay.storage.ledger.store import Ledger

MAX_LIMIT: Final = 500
MAX_RUNS: Final = 400
"""Maximum number of bucket ranges searched for one page; a page that would need more ends early."""
MAX_ROWS: Final = 1_000_000
"""Maximum number of ledger rows read per question: about a second on the benchmark machine."""
MAX_SECONDS: Final = 15.0
"""Time limit for reading them, even from a slow disk."""

_FAR: Final = 2**62


class TooWide(Invalid):
    """The question needs single requests, and its period has too many of them."""

    default_code = ErrorCode.PERIOD_TOO_WIDE


class LogCursor(msgspec.Struct, frozen=True, array_like=True):
    """The position after a page, its order, and the last ledger event of its snapshot."""

    sort: LogSort
    is_descending: bool
    is_back: bool
    """Whether the previous page is requested instead of the next one."""
    value: Annotated[int, msgspec.Meta(ge=LEAST_VALUE, le=MOST_VALUE)]
    event_time_us: Annotated[int, msgspec.Meta(ge=0, le=_FAR)]
    seq: Annotated[int, msgspec.Meta(ge=-1, le=_FAR)]
    through_seq: Annotated[int, msgspec.Meta(ge=0, le=_FAR)]

    @property
    def position(self) -> LogPosition:
        """The position that the page ended at."""
        return LogPosition(self.value, self.event_time_us, self.seq)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """A query for requests, with their order."""

    usage: UsageQuery
    """The period and the filters that the cube can evaluate."""
    conditions: LogConditions = NO_CONDITIONS
    order: LogOrder = NEWEST_FIRST
    cursor: LogCursor | None = None

    def __post_init__(self) -> None:
        cursor = self.cursor
        if cursor and LogOrder(cursor.sort, cursor.is_descending) != self.order:
            raise Invalid(
                "`cursor` belongs to a different sort or order. Start again with the first page.",
                field="cursor",
            )

    @property
    def is_exhaustive(self) -> bool:
        """Whether each request of the period must be checked in the ledger."""
        return bool(self.conditions) or self.order.sort is not LogSort.TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Some requests in the requested order."""

    entries: Sequence[LoggedEvent]
    following: LogCursor | None
    """The cursor of the next page; None on the last page."""
    preceding: LogCursor | None
    """The cursor of the previous page; None on the first page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPlan:
    """Where to search for the requests of a query, as of one position of the cube."""

    query: LogQuery
    wanted: LogFilter
    spans: Sequence[Span]
    """Parts of the period that may have matches, newest first."""
    usage: Breakdown
    """The usage of the period with its filters, without the other conditions."""

    def part(self, span: Span, through_seq: int) -> LogFilter:
        """The filter for one span."""
        return replace(
            self.wanted,
            start_us=max(span.start * BUCKET_US, self.wanted.start_us),
            end_us=min(span.end * BUCKET_US, self.wanted.end_us),
            through_seq=through_seq,
        )

    def check_width(self) -> None:
        """Raise TooWide if there are more rows than one question may read."""
        rows = sum(span.rows for span in self.spans)
        if rows > MAX_ROWS:
            raise TooWide(
                f"The period has {rows:,} requests, and this query has to read each of them. It "
                f"may read at most {MAX_ROWS:,}; choose a shorter period.",
                field="from",
            )


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request with everything that is recorded about it."""

    entry: LoggedEvent
    """Its latest version."""
    history: Sequence[LoggedEvent]
    """All its rows, in the order of recording."""
    counted: Sequence[UsageEvent]
    """Other events that report the same answer, and that count."""
    is_counted: bool
    """Whether it counts itself; if not, another report of its answer may count."""

    @property
    def event(self) -> UsageEvent:
        """Its latest version."""
        return self.entry.event


class RequestLog:
    """Reads single requests of an organization."""

    def __init__(
        self,
        analytics: Analytics,
        ledger: Ledger,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._analytics = analytics
        self._ledger = ledger
        self._monotonic = monotonic

    def plan(self, reader: CubeReader, query: LogQuery) -> LogPlan:
        """The plan of a query, from a snapshot of the cube that need not stay open."""
        usage = query.usage
        result = self._analytics.breakdown_in(reader, usage)
        matching = sizes = None
        if query.conditions.session_id:
            of_session = SessionQuery(usage=usage, session_ids=(query.conditions.session_id,))
            matching = [bucket for bucket, _ in reader.ask(SessionBuckets(of_session))]
        elif usage.filters:
            matching = [bucket for bucket, _ in reader.ask(Buckets(usage))]
        if query.is_exhaustive:
            sizes = dict(reader.ask(Buckets(replace(usage, filters={}))))
        edges = [step.start_bucket for step in result.steps] if query.conditions else ()
        return LogPlan(
            query=query,
            wanted=LogFilter(
                organization_id=usage.organization_id,
                start_us=usage.period.start_bucket * BUCKET_US,
                end_us=usage.period.end_bucket * BUCKET_US,
                values={
                    dimension: usage.merges.with_merged(dimension, values)
                    for dimension, values in usage.filters.items()
                },
                conditions=query.conditions,
                through_seq=reader.loaded_seq,
            ),
            spans=cut_spans(usage.period, matching, sizes, edges),
            usage=result,
        )

    def volume(self, plan: LogPlan) -> Breakdown:
        """The sums over all requests of a query by step; raises TooWide if too much must be read.

        In QUALITY_MEASURES: others are 0.
        """
        if not plan.query.conditions:
            return plan.usage
        plan.check_width()
        steps = plan.usage.steps
        found: dict[int, list[Totals]] = {}
        for span in self._in_time(plan.spans):
            sums = self._ledger.read_sums(plan.part(span, plan.wanted.through_seq))
            if sums.requests:
                found.setdefault(step_at(steps, span), []).append(sums)
        by_step = {index: sum_totals(parts) for index, parts in found.items()}
        return replace(plan.usage, total=sum_totals(list(by_step.values())), by_step=by_step)

    def page(self, plan: LogPlan, limit: int = 50) -> LogPage:
        """A page of requests; raises TooWide if the order requires more rows than are allowed."""
        if not 1 <= limit <= MAX_LIMIT:
            raise Invalid(f"`limit` must be between 1 and {MAX_LIMIT}.", field="limit")
        positions, following, preceding = self.positions(plan, limit)
        entries = self._ledger.read_logged(plan.wanted.organization_id, positions)
        return LogPage(entries=entries, following=following, preceding=preceding)

    def positions(
        self, plan: LogPlan, limit: int
    ) -> tuple[list[LogPosition], LogCursor | None, LogCursor | None]:
        """The positions of a page's requests, and the cursors of the next and the previous page."""
        cursor, order = plan.query.cursor, plan.query.order
        is_back = cursor is not None and cursor.is_back
        scan = order.reversed if is_back else order
        after = cursor.position if cursor else None
        # A later page shows nothing newer than the first one did, and nothing newer than the cube.
        through_seq = plan.wanted.through_seq
        if cursor is not None:
            through_seq = min(through_seq, cursor.through_seq)
        read = self._read_newest if order.sort is LogSort.TIME else self._read_ranked
        found, end = read(plan, scan, after, limit + 1, through_seq)
        if len(found) > limit:
            found, end = found[:limit], found[limit - 1]
        start = found[0] if found else _beside(after, scan)
        onward = _cursor(order, end, is_back, through_seq)
        back = _cursor(order, start if cursor else None, not is_back, through_seq)
        if is_back:
            return found[::-1], back, onward
        return found, onward, back

    def all_positions(
        self, plan: LogPlan, limit: int
    ) -> tuple[list[LogPosition], LogCursor | None]:
        """Up to a number of positions, and the position to continue after; None at the end."""
        found, following, _ = self.positions(plan, limit)
        while following is not None and len(found) < limit:
            # A page may end early, but this must not.
            onward = replace(plan, query=replace(plan.query, cursor=following))
            more, following, _ = self.positions(onward, limit - len(found))
            found += more
        return found, following

    def _read_newest(
        self,
        plan: LogPlan,
        scan: LogOrder,
        after: LogPosition | None,
        count: int,
        through_seq: int,
    ) -> tuple[list[LogPosition], LogPosition | None]:
        """The first positions by time, and where to continue if the search was not complete."""
        found: list[LogPosition] = []
        spans = plan.spans if scan.falls else plan.spans[::-1]
        deadline, rows = self._monotonic() + MAX_SECONDS, 0
        left = [span for span in spans if after is None or _is_beyond(span, after, scan)]
        for number, span in enumerate(left):
            rows += span.rows
            if number and (number == MAX_RUNS or rows > MAX_ROWS or self._monotonic() > deadline):
                return found, _edge(span, scan)
            part = plan.part(span, through_seq)
            found += self._ledger.read_positions(part, scan, after, count - len(found))
            if len(found) == count:
                break
        return found, None

    def _read_ranked(
        self,
        plan: LogPlan,
        scan: LogOrder,
        after: LogPosition | None,
        count: int,
        through_seq: int,
    ) -> tuple[list[LogPosition], LogPosition | None]:
        """The first positions by a value: found in each part, then merged."""
        plan.check_width()
        found: list[LogPosition] = []
        for span in self._in_time(plan.spans):
            part = plan.part(span, through_seq)
            found += self._ledger.read_positions(part, scan, after, count)
            if len(found) > count + PART_ROWS:
                found = sorted(found, reverse=scan.falls)[:count]
        return sorted(found, reverse=scan.falls)[:count], None

    def _in_time(self, spans: Sequence[Span]) -> Iterator[Span]:
        """Some spans one after the other; raises TooWide if that takes too long."""
        deadline = self._monotonic() + MAX_SECONDS
        for span in spans:
            if self._monotonic() > deadline:
                raise TooWide(
                    "Reading each request of the period takes too long. Choose a shorter period.",
                    field="from",
                )
            yield span

    def find(self, actor: Actor, event_id: EventId) -> LoggedRequest:
        """The latest version of one request; raises NotFound if there is none that the actor may
        see."""
        owner = owner_of(actor, Permission.REQUESTS_READ)
        history = self._ledger.read_history(actor.organization_id, event_id)
        if not history:
            raise NotFound("There is no such request.")
        versions = [entry for entry in history if entry.event.amendment != Amendment.VOID]
        gone = {entry.event.amends for entry in history} - {""}
        latest = versions[-1]
        if owner not in {None, latest.event.user_id}:
            raise NotFound("There is no such request.")
        reports = self._ledger.read_reports(latest.event)
        others = [
            event
            for event in reports
            if root_of(event.event_id) != event_id and is_same_answer(event, latest.event)
        ]
        is_counted = SIGN[latest.event.amendment] > 0
        is_counted &= version_id(event_id, latest.version) not in gone
        return LoggedRequest(latest, history, standing(others), is_counted)

    def read(self, plan: LogPlan, positions: Sequence[LogPosition]) -> Iterator[LoggedEvent]:
        """The requests at positions, read in batches."""
        for start in range(0, len(positions), MAX_LIMIT):
            part = positions[start : start + MAX_LIMIT]
            yield from self._ledger.read_logged(plan.wanted.organization_id, part)


def _cursor(
    order: LogOrder, position: LogPosition | None, is_back: bool, through_seq: int
) -> LogCursor | None:
    if position is None:
        return None
    return LogCursor(order.sort, order.is_descending, is_back, *position, through_seq)


def _is_beyond(span: Span, after: LogPosition, scan: LogOrder) -> bool:
    """Whether a span may have requests after a position."""
    if scan.falls:
        return span.start * BUCKET_US <= after.event_time_us
    return span.end * BUCKET_US > after.event_time_us


def _edge(span: Span, scan: LogOrder) -> LogPosition:
    """The position just before everything in a span."""
    if scan.falls:
        last_us = span.end * BUCKET_US - 1
        return LogPosition(last_us, last_us, _FAR)
    return LogPosition(span.start * BUCKET_US, span.start * BUCKET_US, -1)


def _beside(position: LogPosition | None, scan: LogOrder) -> LogPosition | None:
    """The position from which the opposite direction finds a position itself, too."""
    if position is None:
        return None
    step = -1 if scan.falls else 1
    return position._replace(seq=max(position.seq + step, -1))

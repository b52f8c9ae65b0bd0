"""The log of single requests: filtered, in any order, a page at a time, with what they add up to.

The cube knows the buckets with matching requests, so rare values are found without reading
everything in between. The log shows no event after the ledger position of the cube, so that both
agree. Conditions that the cube cannot answer, such as the duration of a single request, are checked
against the ledger's rows in parts: at most `MAX_ROWS`, with no connection held in between.
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
"""Runs of buckets looked into for one page; a page that would need more ends early."""
MAX_ROWS: Final = 1_000_000
"""Rows of the ledger that one question may read: about a second on the machine of the benchmark."""
MAX_SECONDS: Final = 15.0
"""How long one question may read them, even from a slow disk."""

_FAR: Final = 2**62


class TooWide(Invalid):
    """A question that only single requests can answer is asked of too many."""

    default_code = ErrorCode.PERIOD_TOO_WIDE


class LogCursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended, in which order, and through which event of the ledger it was read."""

    sort: LogSort
    is_descending: bool
    is_back: bool
    """Whether the page before is wanted, not the one after."""
    value: Annotated[int, msgspec.Meta(ge=LEAST_VALUE, le=MOST_VALUE)]
    event_time_us: Annotated[int, msgspec.Meta(ge=0, le=_FAR)]
    seq: Annotated[int, msgspec.Meta(ge=-1, le=_FAR)]
    through_seq: Annotated[int, msgspec.Meta(ge=0, le=_FAR)]

    @property
    def position(self) -> LogPosition:
        """Where it ended."""
        return LogPosition(self.value, self.event_time_us, self.seq)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which requests are asked for, and in which order."""

    usage: UsageQuery
    """The period and the filters, which the cube can answer."""
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
        """Whether the ledger has to check each request of the period."""
        return bool(self.conditions) or self.order.sort is not LogSort.TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Some requests in the order asked for."""

    entries: Sequence[LoggedEvent]
    following: LogCursor | None
    """Where the next page begins, None at the end."""
    preceding: LogCursor | None
    """Where the page before ends, None at the beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPlan:
    """Where to look for the requests of a query, at one position of the cube."""

    query: LogQuery
    wanted: LogFilter
    spans: Sequence[Span]
    """Parts of the period that may have matching requests, newest first."""
    usage: Breakdown
    """The usage of the period and its filters, without the conditions."""

    def part(self, span: Span, through_seq: int) -> LogFilter:
        """What is wanted of one span."""
        return replace(
            self.wanted,
            start_us=max(span.start * BUCKET_US, self.wanted.start_us),
            end_us=min(span.end * BUCKET_US, self.wanted.end_us),
            through_seq=through_seq,
        )

    def check_width(self) -> None:
        """Raise TooWide when there are more rows than one question may read."""
        rows = sum(span.rows for span in self.spans)
        if rows > MAX_ROWS:
            raise TooWide(
                f"The period has {rows:,} requests, and this query has to read each of them. It "
                f"may read at most {MAX_ROWS:,}; choose a shorter period.",
                field="from",
            )


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request with all that is on record of it."""

    entry: LoggedEvent
    """Its latest version."""
    history: Sequence[LoggedEvent]
    """All its rows, in the order in which they were recorded."""
    counted: Sequence[UsageEvent]
    """Other events that report the same answer, and count."""
    is_counted: bool
    """Whether it counts itself; if not, another report of its answer may."""

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
        """Where to look, by a snapshot of the cube that may be let go of then."""
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
        """What all requests of a query add up to, step by step; TooWide when it reads too much.

        In QUALITY_MEASURES: the others are 0.
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
        """A page of the requests; TooWide when the order needs more to be read than is allowed."""
        if not 1 <= limit <= MAX_LIMIT:
            raise Invalid(f"`limit` must be between 1 and {MAX_LIMIT}.", field="limit")
        positions, following, preceding = self.positions(plan, limit)
        entries = self._ledger.read_logged(plan.wanted.organization_id, positions)
        return LogPage(entries=entries, following=following, preceding=preceding)

    def positions(
        self, plan: LogPlan, limit: int
    ) -> tuple[list[LogPosition], LogCursor | None, LogCursor | None]:
        """Where a page's requests stand, and the cursors of the pages after and before it."""
        cursor, order = plan.query.cursor, plan.query.order
        is_back = cursor is not None and cursor.is_back
        scan = order.reversed if is_back else order
        after = cursor.position if cursor else None
        # A page that follows another one shows no more than that did, and no more than the cube.
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
        """Where up to so many requests stand, and where to go on after them, None at the end."""
        found, following, _ = self.positions(plan, limit)
        while following is not None and len(found) < limit:
            # A page may end early: this one may not.
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
        """The first positions by time, and where to go on when they were not all looked for."""
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
        """The first positions by a value: the first of each part, and of those the first."""
        plan.check_width()
        found: list[LogPosition] = []
        for span in self._in_time(plan.spans):
            part = plan.part(span, through_seq)
            found += self._ledger.read_positions(part, scan, after, count)
            if len(found) > count + PART_ROWS:
                found = sorted(found, reverse=scan.falls)[:count]
        return sorted(found, reverse=scan.falls)[:count], None

    def _in_time(self, spans: Sequence[Span]) -> Iterator[Span]:
        """Some spans one after the other; TooWide when that takes too long."""
        deadline = self._monotonic() + MAX_SECONDS
        for span in spans:
            if self._monotonic() > deadline:
                raise TooWide(
                    "Reading each request of the period takes too long. Choose a shorter period.",
                    field="from",
                )
            yield span

    def find(self, actor: Actor, event_id: EventId) -> LoggedRequest:
        """One request in its latest version; NotFound if there is none that the actor may see."""
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
        """The requests at positions, some at a time."""
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
    """Whether a span may have something after a position."""
    if scan.falls:
        return span.start * BUCKET_US <= after.event_time_us
    return span.end * BUCKET_US > after.event_time_us


def _edge(span: Span, scan: LogOrder) -> LogPosition:
    """Just before all that is in a span."""
    if scan.falls:
        last_us = span.end * BUCKET_US - 1
        return LogPosition(last_us, last_us, _FAR)
    return LogPosition(span.start * BUCKET_US, span.start * BUCKET_US, -1)


def _beside(position: LogPosition | None, scan: LogOrder) -> LogPosition | None:
    """From where the other direction finds a position itself, too."""
    if position is None:
        return None
    step = -1 if scan.falls else 1
    return position._replace(seq=max(position.seq + step, -1))

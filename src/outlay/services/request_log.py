"""The log of single requests: filtered, newest first, a page at a time.

The cube says in which buckets something matches, so that a rare value is found without reading all
that lies between. It stands at a position of the ledger, and the log shows no more than that: both
tell the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from outlay.domain.errors import Invalid, NotFound
from outlay.domain.period import BUCKET_US
from outlay.domain.query import UsageQuery
from outlay.services.analytics import Analytics
from outlay.storage.ledger.log import LogFilter, LoggedEvent, LogPosition
from outlay.storage.ledger.store import Ledger

MAX_LIMIT: Final = 500
MAX_RUNS: Final = 400
"""Runs of buckets looked into for one page; a page that would need more ends early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Some requests, newest first."""

    entries: Sequence[LoggedEvent]
    following: LogPosition | None
    """Where the next page begins, None at the end."""


class RequestLog:
    """Reads single requests of an organization."""

    def __init__(self, analytics: Analytics, ledger: Ledger) -> None:
        self._analytics = analytics
        self._ledger = ledger

    def page(
        self,
        query: UsageQuery,
        *,
        before: LogPosition | None = None,
        limit: int = 50,
        min_duration_us: int | None = None,
        min_cost_pusd: int | None = None,
    ) -> LogPage:
        """Requests of a question's window that match its filters, from a position on."""
        if not 1 <= limit <= MAX_LIMIT:
            raise Invalid(f"limit must be from 1 to {MAX_LIMIT}", field="limit")
        merges = self._analytics.merges(query.organization_id)
        with self._analytics.read() as reader:
            through_seq = reader.loaded_seq()
            buckets = [bucket for bucket, _ in reader.buckets(query)] if query.filters else None
        wanted = LogFilter(
            organization_id=query.organization_id,
            start_us=query.period.start_bucket * BUCKET_US,
            end_us=min(
                query.period.end_bucket * BUCKET_US,
                before.event_time_us + 1 if before else query.period.end_bucket * BUCKET_US,
            ),
            values={
                dimension: merges.with_merged(dimension, values)
                for dimension, values in query.filters.items()
            },
            min_duration_us=min_duration_us,
            min_cost_pusd=min_cost_pusd,
            through_seq=through_seq,
            before=before,
        )
        found: list[LoggedEvent] = []
        for number, part in enumerate(_parts(wanted, buckets)):
            if number == MAX_RUNS:
                return LogPage(entries=found, following=LogPosition(part.end_us, 2**62 - 1))
            found += self._ledger.read_log(part, limit + 1 - len(found))
            if len(found) > limit:
                return LogPage(entries=found[:limit], following=found[limit - 1].position)
        return LogPage(entries=found, following=None)

    def find(self, organization_id: str, event_id: str) -> LoggedEvent:
        """One request; NotFound when the organization has none with the id."""
        found = self._ledger.find_event(organization_id, event_id)
        if found is None:
            raise NotFound("There is no such request.")
        return found


def _parts(wanted: LogFilter, buckets: list[int] | None) -> Iterator[LogFilter]:
    """The window as runs of adjoining buckets in which something matches, newest first."""
    if buckets is None:
        yield wanted
        return
    last_us = wanted.before.event_time_us if wanted.before else wanted.end_us
    starts = [bucket for bucket in buckets if bucket * BUCKET_US <= last_us]
    run_end = starts[0] + 1 if starts else 0
    for bucket, following in pairwise([*starts, -2]):
        if following != bucket - 1:
            yield replace(wanted, start_us=bucket * BUCKET_US, end_us=run_end * BUCKET_US)
            run_end = following + 1

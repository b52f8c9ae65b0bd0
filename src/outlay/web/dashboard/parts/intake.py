"""Lists for the operator's dashboard of what was not read completely or not counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from outlay.domain.dimension import Dimension
from outlay.domain.period import parse_zone
from outlay.kit.clock import from_us
from outlay.services.analytics.data_quality import UnreadCounters
from outlay.services.recording.skipped_telemetry import SkippedCount
from outlay.web.dashboard.dates import describe_time
from outlay.web.dashboard.formatting import format_count
from outlay.web.dashboard.links import Links
from outlay.web.dashboard.parts.frame import FILTER_OF, PAGE_ONLY

LISTED: Final = 8
"""Lines of one list; `GET /api/v1/analytics/health` has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeLine:
    """Something that was not counted, or not completely."""

    name: str
    origin: str
    """Its source."""
    count: str
    when: str
    url: str = ""
    """The log of its requests."""
    is_loss: bool = True
    """Whether its tokens may be missing in the numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeList:
    """Lines of one kind."""

    title: str
    note: str
    origin: str
    """The heading of the column with the source."""
    noun: str
    """The noun for the count."""
    lines: Sequence[IntakeLine]
    hidden: int


def intake_lists(
    unread: UnreadCounters,
    passed: Sequence[SkippedCount],
    links: Links,
    zone: str,
    since: datetime,
) -> list[IntakeList]:
    """The lists that have lines, one per kind."""
    lists = [_unread_list(unread, links, zone), _passed_list(passed, zone, since)]
    return [one for one in lists if one.lines]


def _unread_list(found: UnreadCounters, links: Links, zone: str) -> IntakeList:
    log = Links("/monitoring/requests", links.without(*PAGE_ONLY, "sort", "order", "bucket").items)
    note = "Provider counters that Outlay does not know. Requests with them are partly priced."
    if found.read_from is not None:
        note += f" Requests since {_time(found.read_from, zone)} were checked."
    return IntakeList(
        title="Unknown counters",
        note=note,
        origin="Provider",
        noun="Requests",
        lines=[
            IntakeLine(
                name=one.name,
                origin=one.provider or "unknown provider",
                count=format_count(one.requests),
                when=_span(one.first, one.last, zone),
                url=_of_provider(log, one.provider).put(missing=one.name),
            )
            for one in found.counters[:LISTED]
        ],
        hidden=max(0, len(found.counters) - LISTED),
    )


def _of_provider(links: Links, provider: str) -> Links:
    name = FILTER_OF[Dimension.PROVIDER]
    return Links(links.path, (*links.without(name).items, (name, provider))) if provider else links


def _passed_list(counts: Sequence[SkippedCount], zone: str, since: datetime) -> IntakeList:
    return IntakeList(
        title="Skipped spans",
        note="OpenTelemetry spans with token counts that were not counted, since this server "
        f"started ({_time(since, zone)}).",
        origin="Library and reason",
        noun="Spans",
        lines=[
            IntakeLine(
                name=one.kind.operation or "unnamed",
                origin=f"{one.kind.instrumentation or 'unnamed library'}: {one.kind.reason.label}",
                count=format_count(one.count),
                when=_span(from_us(one.first_us), from_us(one.last_us), zone),
                is_loss=one.kind.reason.is_loss,
            )
            for one in counts[:LISTED]
        ],
        hidden=max(0, len(counts) - LISTED),
    )


def _time(instant: datetime, zone: str) -> str:
    return describe_time(instant.astimezone(parse_zone(zone)))


def _span(first: datetime, last: datetime, zone: str) -> str:
    """When something was seen first and last."""
    begun, ended = _time(first, zone), _time(last, zone)
    return begun if begun == ended else f"{begun} – {ended}"

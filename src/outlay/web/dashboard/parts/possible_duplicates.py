"""Possible duplicates, as a list on the operator's dashboard."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from outlay.domain.amendment import root_of
from outlay.domain.duplicate import Duplicate
from outlay.domain.ids import EventId
from outlay.domain.period import parse_zone
from outlay.kit.clock import from_us
from outlay.web.dashboard.dates import describe_time
from outlay.web.dashboard.formatting import (
    format_count,
    format_exact_money,
    format_money,
    format_number_of,
)
from outlay.web.dashboard.links import Links

LISTED: Final = 10
"""Number of listed pairs; `GET /api/v1/duplicates` has more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateReport:
    """One of the two reports of a pair."""

    source: str
    cost: str
    exact_cost: str
    url: str
    """The request in the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateRow:
    """A pair that is probably one request."""

    time: str
    model: str
    tokens: str
    kept: DuplicateReport
    dropped: DuplicateReport
    pairs: str
    """The request body that merges the pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateRows:
    """The listed pairs."""

    rows: Sequence[DuplicateRow]
    words: str
    """How many there are, and how much they cost twice."""
    hidden: int
    pairs: str
    """The request body that merges all listed pairs."""


def duplicate_rows(
    duplicates: Sequence[Duplicate], links: Links, zone: str
) -> DuplicateRows | None:
    """The newest pairs; None if there are none."""
    if not duplicates:
        return None
    listed = duplicates[:LISTED]
    twice = sum(pair.dropped.cost_pusd for pair in duplicates)
    return DuplicateRows(
        rows=[_row(pair, links, zone) for pair in listed],
        words=f"{format_number_of(len(duplicates), 'pair')} in the last week, "
        f"{format_money(twice)} counted twice",
        hidden=len(duplicates) - len(listed),
        pairs=_pairs(listed),
    )


def _row(pair: Duplicate, links: Links, zone: str) -> DuplicateRow:
    kept = pair.kept
    return DuplicateRow(
        time=describe_time(from_us(kept.event_time_us).astimezone(parse_zone(zone))),
        model=kept.model or "unknown model",
        tokens=f"{format_count(kept.input_tokens)} → {format_count(kept.output_tokens)}",
        kept=_report(pair.kept.event_id, kept.source, kept.cost_pusd, links),
        dropped=_report(pair.dropped.event_id, pair.dropped.source, pair.dropped.cost_pusd, links),
        pairs=_pairs([pair]),
    )


def _report(event_id: EventId, source: str, cost_pusd: int, links: Links) -> DuplicateReport:
    return DuplicateReport(
        source=source,
        cost=format_money(cost_pusd),
        exact_cost=format_exact_money(cost_pusd),
        url=links.travel("/monitoring/requests", search=root_of(event_id)),
    )


def _pairs(duplicates: Sequence[Duplicate]) -> str:
    return msgspec.json.encode(
        [
            {"kept": root_of(pair.kept.event_id), "dropped": root_of(pair.dropped.event_id)}
            for pair in duplicates
        ]
    ).decode()

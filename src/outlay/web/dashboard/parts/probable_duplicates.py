"""Requests that are probably counted twice, as a list of the operator's dashboard."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from outlay.domain.amendment import root_of
from outlay.domain.duplicate import Duplicate
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
"""Pairs that are listed; `GET /api/v1/doubles` has more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One of the two reports of a pair."""

    source: str
    cost: str
    exact_cost: str
    url: str
    """The request in the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubleRow:
    """A pair that is probably one request."""

    time: str
    model: str
    tokens: str
    kept: Report
    dropped: Report
    pairs: str
    """What the API is told to count the pair once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubleRows:
    """The pairs that are listed."""

    rows: Sequence[DoubleRow]
    words: str
    """How many there are, and what they cost twice."""
    hidden: int
    pairs: str
    """What the API is told to count all that are listed once."""


def double_rows(doubles: Sequence[Duplicate], links: Links, zone: str) -> DoubleRows | None:
    """The newest pairs; None where there are none."""
    if not doubles:
        return None
    listed = doubles[:LISTED]
    twice = sum(double.dropped.cost_pusd for double in doubles)
    return DoubleRows(
        rows=[_row(double, links, zone) for double in listed],
        words=f"{format_number_of(len(doubles), 'pair')} of the last week, "
        f"{format_money(twice)} counted twice",
        hidden=len(doubles) - len(listed),
        pairs=_pairs(listed),
    )


def _row(double: Duplicate, links: Links, zone: str) -> DoubleRow:
    kept = double.kept
    return DoubleRow(
        time=describe_time(from_us(kept.event_time_us).astimezone(parse_zone(zone))),
        model=kept.model or "unknown model",
        tokens=f"{format_count(kept.input_tokens)} → {format_count(kept.output_tokens)}",
        kept=_report(double.kept.event_id, kept.source, kept.cost_pusd, links),
        dropped=_report(
            double.dropped.event_id, double.dropped.source, double.dropped.cost_pusd, links
        ),
        pairs=_pairs([double]),
    )


def _report(event_id: str, source: str, cost_pusd: int, links: Links) -> Report:
    return Report(
        source=source,
        cost=format_money(cost_pusd),
        exact_cost=format_exact_money(cost_pusd),
        url=links.travel("/monitoring/requests", search=root_of(event_id)),
    )


def _pairs(doubles: Sequence[Duplicate]) -> str:
    return msgspec.json.encode(
        [
            {"kept": root_of(double.kept.event_id), "dropped": root_of(double.dropped.event_id)}
            for double in doubles
        ]
    ).decode()

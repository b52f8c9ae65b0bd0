"""Requests as rows of a list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from outlay.domain.dimension import Dimension
from outlay.domain.event import CostSource, Status, UsageEvent, UsageSource
from outlay.domain.ids import OrganizationId
from outlay.domain.period import parse_zone
from outlay.domain.query import UsageQuery
from outlay.kit.clock import from_us
from outlay.services.analytics.data_quality import describe_part
from outlay.services.bundle import Services
from outlay.storage.ledger.log import LoggedEvent
from outlay.web.dashboard.formatting import (
    format_count,
    format_exact_count,
    format_exact_money,
    format_latency,
    format_money,
    format_signed_money,
)

LABELLED: Final = (Dimension.PROJECT, Dimension.API_KEY, Dimension.USER, Dimension.GROUP)
"""Dimensions whose values have display names."""

Labels = Mapping[Dimension, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One request."""

    event_id: str
    time: str
    instant: str
    status: str
    status_title: str
    http_status: str
    mapping: str
    key: str
    user: str
    app: str
    tokens_in: str
    tokens_out: str
    exact_tokens: str
    cost: str
    exact_cost: str
    is_unpriced: bool
    is_partial: bool
    reported: str
    """The cost that its sender reported; empty if there is none."""
    difference: str
    """The difference of reported and computed cost; a dash if either is unknown."""
    exact_difference: str
    latency: str
    latency_bar: int
    """In thousandths of the slowest line."""


def labels_of(services: Services, organization_id: OrganizationId) -> Labels:
    """Labels of the values that requests are attributed to."""
    return {
        dimension: services.analytics.labels(organization_id, dimension) for dimension in LABELLED
    }


def lines_of(
    services: Services, query: UsageQuery, entries: Sequence[LoggedEvent]
) -> list[LogLine]:
    """The lines of some requests, in the time zone of a question."""
    labels = labels_of(services, query.organization_id)
    zone = parse_zone(query.period.timezone)
    slowest = max((entry.event.duration_us or 0 for entry in entries), default=0)
    return [
        _line(entry.event, labels, from_us(entry.event.event_time_us).astimezone(zone), slowest)
        for entry in entries
    ]


def _line(event: UsageEvent, labels: Labels, time: datetime, slowest: int) -> LogLine:
    is_unknown = event.usage_source is UsageSource.UNKNOWN
    duration, reported = event.duration_us, event.reported_cost_pusd
    apart = difference_of(event)
    return LogLine(
        event_id=event.event_id,
        time=f"{time:%b} {time.day}, {time:%H:%M:%S}",
        instant=time.isoformat(),
        status=event.status.value,
        status_title=event.status.label,
        http_status="" if event.http_status is None else str(event.http_status),
        mapping=event.mapping or event.model or "unknown model",
        key=labels[Dimension.API_KEY].get(event.api_key_id, event.api_key_id),
        user=labels[Dimension.USER].get(event.user_id, event.user_id),
        app=event.app,
        tokens_in="?" if is_unknown else format_count(event.input_tokens),
        tokens_out="?" if is_unknown else format_count(event.output_tokens),
        exact_tokens="No token counts were reported"
        if is_unknown
        else f"{format_exact_count(event.input_tokens)} in, "
        f"{format_exact_count(event.output_tokens)} out",
        cost=cost_of(event),
        exact_cost=exact_cost_of(event),
        is_unpriced=event.cost_source is CostSource.UNPRICED and not has_used_nothing(event),
        is_partial=event.cost_source is CostSource.PARTIAL
        and not (is_unknown and not event.cost_pusd),
        reported="" if reported is None else format_money(reported),
        difference="–" if apart is None else format_signed_money(apart),
        exact_difference="Not fully priced by the price book"
        if apart is None
        else f"{format_exact_money(reported or 0)} reported, "
        f"{format_exact_money(event.computed_cost_pusd or 0)} computed",
        latency="–" if duration is None else format_latency(duration),
        latency_bar=1000 * duration // slowest if duration and slowest else 0,
    )


def difference_of(event: UsageEvent) -> int | None:
    """Reported minus computed cost, in pico-USD; None if either is unknown."""
    if not event.is_compared:
        return None
    return (event.reported_cost_pusd or 0) - (event.computed_cost_pusd or 0)


def describe_parts(event: UsageEvent) -> str:
    """The parts of a request without a price, as pages call them."""
    unread = set(event.unread.split(","))
    return ", ".join(
        describe_part(name, name in unread)[1] for name in event.unpriced_parts.split(",") if name
    )


class NoCost(NamedTuple):
    """Why a request has no cost."""

    short: str
    explanation: str


def why_no_cost(event: UsageEvent) -> NoCost | None:
    """Why a request has no cost; None if it has one."""
    if has_used_nothing(event):
        return NoCost("–", "It failed before any tokens were used")
    if event.usage_source is UsageSource.UNKNOWN and not event.cost_pusd:
        return NoCost("unknown", "Cost unknown: no token counts were reported")
    if event.cost_source is CostSource.UNPRICED:
        return NoCost("unpriced", "No price for this model")
    return None


def has_used_nothing(event: UsageEvent) -> bool:
    """Whether a request failed before it used anything, so that there is nothing to price."""
    return (
        event.status is not Status.OK
        and event.usage_source is not UsageSource.UNKNOWN
        and not event.input_tokens + event.output_tokens + event.cost_pusd
    )


def cost_of(event: UsageEvent) -> str:
    """The cost of a request: `unpriced` if unknown, a dash if nothing was used."""
    missing = why_no_cost(event)
    return missing.short if missing else format_money(event.cost_pusd)


def exact_cost_of(event: UsageEvent) -> str:
    """The cost with all digits."""
    if missing := why_no_cost(event):
        return missing.explanation
    if event.cost_source is CostSource.PARTIAL:
        return f"{format_exact_money(event.cost_pusd)} without {describe_parts(event)}"
    return format_exact_money(event.cost_pusd)

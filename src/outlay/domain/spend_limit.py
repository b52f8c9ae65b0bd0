"""Spend limits: how much a key, a project or a member may spend in a day, week or month."""

import math
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from outlay.domain.errors import LimitReached
from outlay.domain.ids import OrganizationId
from outlay.domain.money import Pusd, render_usd
from outlay.domain.period import Period, period_of_dates
from outlay.kit.clock import from_us


class LimitScope(StrEnum):
    """What a limit applies to."""

    API_KEY = "apiKey"
    PROJECT = "project"
    MEMBER = "member"


class LimitInterval(StrEnum):
    """The reset interval of a limit, at local midnight of the organization's time zone."""

    DAY = "day"
    WEEK = "week"
    """From Monday (ISO 8601)."""
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendLimit:
    """The largest amount that may be spent within one interval."""

    organization_id: OrganizationId
    scope: LimitScope
    scope_id: str
    interval: LimitInterval
    amount_pusd: Pusd


class CounterKey(NamedTuple):
    """Identifies a spend counter: whose spend in which interval; instants in µs since the epoch."""

    organization_id: OrganizationId
    scope: LimitScope
    scope_id: str
    start_us: int
    end_us: int
    """Exclusive."""


class Hold(NamedTuple):
    """The maximum cost of a request, reserved against one limit until its actual cost is known."""

    counter: CounterKey
    limit: SpendLimit
    amount_pusd: int


class HoldRefused(NamedTuple):
    """A reservation that exceeds its limit, with the amounts at that time."""

    hold: Hold
    spent_pusd: int
    held_pusd: int
    now_us: int


_NAME: Final = {
    LimitScope.API_KEY: "API key",
    LimitScope.PROJECT: "project",
    LimitScope.MEMBER: "member",
}


SHORT_SECONDS: Final = 60
"""Up to this many seconds, clients get a Retry-After. Client libraries wait that long on their own,
which blocks a worker."""

_HELD_SECONDS: Final = 2
"""Retry-After if only running requests exceed the limit."""


def limit_reached(refused: HoldRefused) -> LimitReached:
    """The error for a request that exceeds a limit."""
    (counter, limit, cost), spent, held, now_us = refused
    seconds = max(1, math.ceil((counter.end_us - now_us) / 1_000_000))
    resets_at = from_us(counter.end_us)
    left = max(0, limit.amount_pusd - spent - held)
    is_only_held = spent + cost <= limit.amount_pusd
    fits_later = cost <= limit.amount_pusd and seconds < SHORT_SECONDS
    retry_after = _HELD_SECONDS if is_only_held else seconds if fits_later else None
    return LimitReached(
        f"This request could cost up to ${render_usd(cost)}, but only ${render_usd(left)} of the "
        f"{_NAME[limit.scope]}'s ${render_usd(limit.amount_pusd)} per {limit.interval} is left "
        f"({limit.scope_id}): ${render_usd(spent)} is spent and ${render_usd(held)} is "
        f"reserved.{_advice(limit, cost, left, is_only_held)} The limit resets in "
        f"{_duration(seconds)}, at {resets_at:%Y-%m-%dT%H:%M:%SZ}.",
        resets_at=resets_at,
        retry_after=retry_after,
    )


def _advice(limit: SpendLimit, cost_pusd: int, left_pusd: int, is_only_held: bool) -> str:
    """What would make room for the request, as a sentence; empty if only waiting helps."""
    if cost_pusd > limit.amount_pusd:
        return (
            " That exceeds the whole limit: request fewer output tokens (e.g. with max_tokens) "
            "or ask for a higher limit."
        )
    if is_only_held:
        return " Try again when running requests have finished."
    if left_pusd:
        return " A request with a lower maximum of output tokens may fit."
    return ""


def _duration(seconds: int) -> str:
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"


def window_of(interval: LimitInterval, today: date, timezone: str) -> Period:
    """The interval that a local date lies in."""
    match interval:
        case LimitInterval.DAY:
            first = last = today
        case LimitInterval.WEEK:
            first = today - timedelta(days=today.weekday())
            last = first + timedelta(days=6)
        case LimitInterval.MONTH:
            first = today.replace(day=1)
            last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return period_of_dates(first, last, timezone)

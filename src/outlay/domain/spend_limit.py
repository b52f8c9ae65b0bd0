"""Spend limits: what a key, a project or a member may spend in a day, week or month."""

import math
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from outlay.domain.errors import LimitReached
from outlay.domain.money import render_usd
from outlay.domain.period import Period, period_of_dates


class LimitScope(StrEnum):
    """Whose spend is limited."""

    API_KEY = "apiKey"
    PROJECT = "project"
    MEMBER = "member"


class LimitInterval(StrEnum):
    """How often a limit starts anew, at local midnight of the organization's time zone."""

    DAY = "day"
    WEEK = "week"
    """From Monday (ISO 8601)."""
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendLimit:
    """An amount that must not be passed within one interval."""

    organization_id: str
    scope: LimitScope
    scope_id: str
    interval: LimitInterval
    amount_pusd: int


class CounterKey(NamedTuple):
    """Whose spend in which interval is counted; instants in µs since the epoch."""

    organization_id: str
    scope: LimitScope
    scope_id: str
    start_us: int
    end_us: int
    """Exclusive."""


class Hold(NamedTuple):
    """What a request may cost at most, held against one limit until its real cost is known."""

    counter: CounterKey
    limit: SpendLimit
    amount_pusd: int


class HoldRefused(NamedTuple):
    """A hold that does not fit under its limit, and what stood there at the time."""

    hold: Hold
    spent_pusd: int
    held_pusd: int
    now_us: int


_NAME: Final = {
    LimitScope.API_KEY: "API key",
    LimitScope.PROJECT: "project",
    LimitScope.MEMBER: "member",
}


def limit_reached(refused: HoldRefused) -> LimitReached:
    """What the caller of a request is told that a limit has no room for."""
    limit, counter = refused.hold.limit, refused.hold.counter
    seconds = max(1, math.ceil((counter.end_us - refused.now_us) / 1_000_000))
    return LimitReached(
        f"The {_NAME[limit.scope]}'s limit of {render_usd(limit.amount_pusd)} USD per "
        f"{limit.interval} is used up: {render_usd(refused.spent_pusd)} USD are spent, "
        f"{render_usd(refused.held_pusd)} USD are held for requests under way. "
        f"It starts anew in {_duration(seconds)}.",
        retry_after=seconds,
    )


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

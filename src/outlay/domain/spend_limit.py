"""Spend limits: what a key, a project or a member may spend in a day, week or month."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

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

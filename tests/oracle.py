"""The brute-force oracle: answers computed event by event, without any code of the product.

It uses Python's `zoneinfo` and addition, and never buckets, rollups or SQL.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from outlay.domain.event import UsageEvent

Values = tuple[Decimal, int, int]
"""Cost in USD, requests, tokens."""

KEYS: Mapping[str, Callable[[UsageEvent], list[str]]] = {
    "model": lambda event: [event.model],
    "mapping": lambda event: [event.mapping],
    "provider": lambda event: [event.provider],
    "project": lambda event: [event.project_id],
    "apiKey": lambda event: [event.api_key_id],
    "user": lambda event: [event.user_id],
    "group": lambda event: event.groups.split(","),
    "app": lambda event: [event.app],
    "endUser": lambda event: [event.end_user],
    "status": lambda event: [event.status.value],
}


@dataclass(frozen=True)
class Expected:
    """The expected answer."""

    total: Values
    by_step: Mapping[object, Values]
    by_key: Mapping[str, Values]
    by_step_and_key: Mapping[tuple[object, str], Values]


def local_time(event: UsageEvent, zone: ZoneInfo) -> datetime:
    """The local start time of an event."""
    seconds, micros = divmod(event.event_time_us, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros).astimezone(zone)


def step_of(local: datetime, bucket: str, from_date: date) -> object:
    """The name of the step that a local time is in."""
    day = local.date()
    if bucket == "hour":
        return (day, local.hour, local.utcoffset())
    if bucket == "week":
        return max(day - timedelta(days=day.weekday()), from_date)
    if bucket == "month":
        return max(day.replace(day=1), from_date)
    return day


def expect(
    events: Iterable[UsageEvent],
    *,
    from_date: date,
    to_date: date,
    timezone: str,
    bucket: str,
    group_by: str,
    filters: Mapping[str, Sequence[str]],
) -> Expected:
    """The answer of `/api/v1/analytics/activity`, by brute force."""
    zone = ZoneInfo(timezone)
    by_step: dict[object, list[UsageEvent]] = defaultdict(list)
    by_key: dict[str, list[UsageEvent]] = defaultdict(list)
    by_both: dict[tuple[object, str], list[UsageEvent]] = defaultdict(list)
    kept = []
    for event in events:
        local = local_time(event, zone)
        if not from_date <= local.date() <= to_date:
            continue
        if not all(set(KEYS[name](event)) & set(values) for name, values in filters.items()):
            continue
        kept.append(event)
        step = step_of(local, bucket, from_date)
        by_step[step].append(event)
        for key in KEYS[group_by](event):
            by_key[key].append(event)
            by_both[step, key].append(event)
    return Expected(
        total=add_up(kept),
        by_step={step: add_up(found) for step, found in by_step.items()},
        by_key={key: add_up(found) for key, found in by_key.items()},
        by_step_and_key={both: add_up(found) for both, found in by_both.items()},
    )


def add_up(events: Sequence[UsageEvent]) -> Values:
    """Plain sums."""
    cost = sum((Decimal(event.cost_pusd).scaleb(-12) for event in events), Decimal(0))
    tokens = sum(event.input_tokens + event.output_tokens for event in events)
    return cost.normalize(), len(events), tokens

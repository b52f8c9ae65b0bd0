"""The demo organization's traffic: weekday rhythm, growth and two incidents."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final, TypeVar

from outlay.demo.cast import ROUTES, WORKLOADS, Route, Workload
from outlay.demo.directory import DemoDirectory
from outlay.domain.event import Status, UsageSource
from outlay.domain.ids import EventId
from outlay.domain.organization import ApiKey
from outlay.domain.usage import TokenUsage
from outlay.domain.usage_report import UsageReport
from outlay.kit.clock import MICROSECONDS, to_us

BATCH_EVENTS: Final = 1_000
GROWTH: Final = 0.55
"""How much higher the traffic is at the end of the window than at its start."""

WEEKDAY: Final = (1.0, 1.05, 1.04, 1.02, 0.93, 0.42, 0.36)
OFFICE_HOURS: Final = (
    *(1, 1, 1, 1, 1, 2, 4, 8, 14, 20, 23, 22),
    *(19, 21, 23, 22, 20, 16, 11, 8, 6, 4, 3, 2),
)
BATCH_HOURS: Final = (
    *(8, 16, 18, 18, 14, 8, 5, 3, 3, 3, 3, 3),
    *(3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 5),
)

OUTAGE_PROVIDER: Final = "anthropic"
RUNAWAY_PROJECT: Final = "Code Review Bot"

ANSWERS: Final = {
    Status.OK: (200, ""),
    Status.UPSTREAM_ERROR: (529, "upstream-529"),
    Status.CLIENT_ERROR: (400, "upstream-400"),
    Status.GATEWAY_ERROR: (None, "gateway-interrupted"),
    Status.CANCELED: (None, "client-gone"),
}
"""The HTTP status, and the error code of failed requests."""

_Choice = TypeVar("_Choice")


@dataclass(frozen=True, slots=True)
class Incidents:
    """The times of the incidents."""

    outage: frozenset[datetime]
    """One provider fails for some hours."""
    runaway: frozenset[datetime]
    """One project reviews everything twice, with the most expensive model."""


def demo_reports(
    demo: DemoDirectory, random: Random, seed: int, start: datetime, now: datetime
) -> Iterator[list[UsageReport]]:
    """Batches of reports from the day of `start` to `now`, in order of time."""
    first = start.replace(hour=0, minute=0, second=0, microsecond=0)
    days = (now - first).days + 1
    incidents = Incidents(
        outage=frozenset({first + timedelta(days=int(days * 0.74))}),
        runaway=frozenset(first + timedelta(days=int(days * 0.86) + extra) for extra in range(3)),
    )
    batch: list[UsageReport] = []
    number = 0
    for offset in range(days):
        day = first + timedelta(days=offset)
        part = offset / max(1, days - 1)
        reports = []
        for instant, workload in _instants(random, day, part, incidents):
            if instant < now:
                reports.append(_report(random, demo, workload, instant, part, incidents))
        reports.sort(key=lambda report: report.event_time_us)
        for report in reports:
            number += 1
            batch.append(_numbered(report, EventId(f"demo-{seed}-{number:07d}")))
            if len(batch) == BATCH_EVENTS:
                yield batch
                batch = []
    if batch:
        yield batch


def _numbered(report: UsageReport, event_id: EventId) -> UsageReport:
    object.__setattr__(report, "event_id", event_id)
    return report


def _instants(
    random: Random, day: datetime, part: float, incidents: Incidents
) -> Iterator[tuple[datetime, Workload]]:
    """The start times of requests on a day, by project."""
    growth = 1 + GROWTH * part
    for workload in WORKLOADS:
        rhythm = WEEKDAY[day.weekday()] if workload.is_human else 0.95
        volume = workload.requests_per_day * growth * rhythm * random.uniform(0.93, 1.07)
        if workload.project == RUNAWAY_PROJECT and day in incidents.runaway:
            volume *= 2.6
        hours = OFFICE_HOURS if workload.is_human else BATCH_HOURS
        for hour in random.choices(range(24), hours, k=round(volume)):
            second = random.random() * 3600
            yield day + timedelta(hours=hour, seconds=second), workload


def _report(
    random: Random,
    demo: DemoDirectory,
    workload: Workload,
    instant: datetime,
    part: float,
    incidents: Incidents,
) -> UsageReport:
    day = datetime(instant.year, instant.month, instant.day, tzinfo=UTC)
    is_runaway = workload.project == RUNAWAY_PROJECT and day in incidents.runaway
    route = _route(random, workload, part, is_runaway=is_runaway)
    is_down = route.provider == OUTAGE_PROVIDER and day in incidents.outage
    status = _status(random, is_down=is_down and 9 <= instant.hour < 15)
    usage = _usage(random, workload, route, status)
    duration_us = _duration_us(random, route, usage, status)
    streams = usage is not None and usage.output_tokens > 0 and random.random() < 0.7
    key = _busy_first(random, demo.keys[workload.project])
    http_status, error_code = ANSWERS[status]
    return UsageReport(
        event_id=EventId(""),
        event_time_us=to_us(instant),
        provider=route.provider,
        mapping=route.mapping,
        usage=usage,
        api_key_id=key.api_key_id,
        end_user=f"cust_{random.randrange(400):03d}" if workload.is_human else "",
        app=_weighted(random, workload.apps),
        operation="embeddings" if "embedding" in route.mapping else "chat",
        status=status,
        usage_source=(UsageSource.ESTIMATED if status is Status.CANCELED else UsageSource.PROVIDER),
        duration_us=duration_us,
        time_to_first_token_us=duration_us // random.randint(4, 9) if streams else None,
        is_stream=streams,
        http_status=http_status,
        error_code=error_code,
        source="demo",
    )


def _route(random: Random, workload: Workload, part: float, *, is_runaway: bool) -> Route:
    if is_runaway and random.random() < 0.8:
        return ROUTES["anthropic/claude-opus-4-5"]
    usable = {
        mapping: weight
        for mapping, weight in workload.models.items()
        if ROUTES[mapping].begins <= part
    }
    return ROUTES[_weighted(random, usable)]


def _status(random: Random, *, is_down: bool) -> Status:
    draw = random.random()
    if is_down and draw < 0.6:
        return Status.UPSTREAM_ERROR
    if draw < 0.006:
        return Status.UPSTREAM_ERROR
    if draw < 0.0072:
        return Status.GATEWAY_ERROR
    if draw < 0.022:
        return Status.CLIENT_ERROR
    return Status.CANCELED if draw < 0.03 else Status.OK


def _usage(random: Random, workload: Workload, route: Route, status: Status) -> TokenUsage | None:
    """Counts spread around the project's medians; a failed request used none."""
    if status in {Status.UPSTREAM_ERROR, Status.GATEWAY_ERROR, Status.CLIENT_ERROR}:
        return TokenUsage()
    input_tokens = _spread(random, workload.input_tokens, 0.8)
    output_tokens = (
        0 if "embedding" in route.mapping else _spread(random, workload.output_tokens, 0.7)
    )
    if status is Status.CANCELED:
        output_tokens //= 3
    read = write = 0
    if route.caches and random.random() < 0.6:
        read = int(input_tokens * random.uniform(0.3, 0.85))
        if route.provider == "anthropic":
            write = int((input_tokens - read) * random.uniform(0.2, 0.6))
    reasoning = int(output_tokens * random.uniform(0.25, 0.7)) if route.reasons else 0
    return TokenUsage(input_tokens, output_tokens, read, write, 0, reasoning)


def _duration_us(random: Random, route: Route, usage: TokenUsage | None, status: Status) -> int:
    """The duration grows with the output; errors return early."""
    if status in {Status.CLIENT_ERROR, Status.GATEWAY_ERROR}:
        return _spread(random, 40_000, 0.5)
    output_tokens = usage.output_tokens if usage else 0
    median_us = route.median_ms * 1000 * (0.5 + output_tokens / 1200)
    return min(_spread(random, round(median_us), 0.45), 600 * MICROSECONDS)


def _spread(random: Random, median: int, sigma: float) -> int:
    return max(1, round(median * math.exp(random.gauss(0, sigma))))


def _busy_first(random: Random, keys: Sequence[ApiKey]) -> ApiKey:
    """A key, drawn with decreasing weights."""
    return keys[min(int(random.expovariate(1 / 2.2)), len(keys) - 1)]


def _weighted(random: Random, choices: dict[_Choice, float]) -> _Choice:
    return random.choices(tuple(choices), tuple(choices.values()))[0]

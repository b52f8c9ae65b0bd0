"""The cost of spend limits per request and per event, with one limit and with thousands."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from outlay.bootstrap.installation import open_installation
from outlay.domain.event import UsageEvent
from outlay.domain.ids import ApiKeyId, EventId, MemberId
from outlay.domain.money import Pusd
from outlay.domain.organization import ApiKey, operator_of
from outlay.domain.spend_limit import LimitInterval, LimitScope, SpendLimit
from outlay.kit.clock import to_us
from outlay.services.bundle import Services
from outlay.services.gateway.spend_counters import LocalCounters
from outlay.settings import Settings
from outlay.storage.directory.spend_limits import put_spend_limit
from outlay.storage.ledger.rows import to_row

MANY: Final = 5_000
CALLS: Final = 2_000
ROUNDS: Final = 10
"""Alternating; the best of each counts, which is the least disturbed."""
AMOUNT_PUSD: Final = 9 * 10**18


def run() -> list[str]:
    """The figures, as lines of Markdown."""
    with ExitStack() as stack:
        few, many = (stack.enter_context(_limited(count)) for count in (1, MANY))
        best = {name: [_nanoseconds(few[name]), _nanoseconds(many[name])] for name in few}
        for _ in range(ROUNDS):
            for name, figures in best.items():
                figures[:] = (
                    min(figures[0], _nanoseconds(few[name])),
                    min(figures[1], _nanoseconds(many[name])),
                )
    lines = [f"| spend limits in force | 1 | {MANY:,} | ratio |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {one / 1000:.1f} µs | {all_ / 1000:.1f} µs | {all_ / one:.2f}x |"
        for name, (one, all_) in best.items()
    ]
    return lines


@contextmanager
def _limited(count: int) -> Iterator[dict[str, Callable[[], None]]]:
    """The measured operations, with a number of limits and their counters."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open_installation(Settings(data=Path(folder))) as services,
        asyncio.Runner() as runner,
    ):
        api_key = _set_up(services, count)
        limits, counters = services.limits, services.limits._counters
        assert isinstance(counters, LocalCounters)
        for number in range(count):
            key = replace(api_key, api_key_id=ApiKeyId(f"key_{number}"))
            limits.settle(runner.run(limits.reserve(key, 1)))
        event = UsageEvent(
            event_id=EventId("event"),
            organization_id=api_key.organization_id,
            event_time_us=to_us(services.clock.now()),
            provider="openai",
            mapping="openai/gpt-5.5",
            api_key_id=api_key.api_key_id,
            project_id=api_key.project_id,
            member_id=api_key.member_id,
            cost_pusd=1,
        )
        rows = [to_row(event, 1_000_000, 1)]

        async def pass_through() -> None:
            for _ in range(CALLS):
                limits.settle(await limits.reserve(api_key, 1))

        def count_events() -> None:
            for _ in range(CALLS):
                counters._note(rows)

        yield {
            "letting a request through": lambda: runner.run(pass_through()),
            "counting an event": count_events,
        }


def _set_up(services: Services, count: int) -> ApiKey:
    """An organization whose keys have one limit each; the first key is measured."""
    organization = services.administration.organizations.create("Bench")
    project, _ = services.administration.projects.ensure(operator_of(organization), "Production")
    first = ApiKey(
        api_key_id=ApiKeyId("key_0"),
        organization_id=organization.organization_id,
        project_id=project.project_id,
        member_id=MemberId("mem_1"),
        description="bench",
    )
    with services.directory.change() as session:
        for number in range(count):
            limit = SpendLimit(
                organization_id=organization.organization_id,
                scope=LimitScope.API_KEY,
                scope_id=f"key_{number}",
                interval=LimitInterval.DAY,
                amount_pusd=Pusd(AMOUNT_PUSD),
            )
            put_spend_limit(session, limit, 0)
    return first


def _nanoseconds(calls: Callable[[], None]) -> float:
    """Nanoseconds per call."""
    begin = time.perf_counter_ns()
    calls()
    return (time.perf_counter_ns() - begin) / CALLS

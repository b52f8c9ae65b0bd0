"""Pages of the request log, with and without checksum verification."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

from tests.clocks import FixedClock
from tests.factories import NOW, make_event
from typing_extensions import override

from outlay.domain.dimension import Dimension
from outlay.domain.event import CostSource
from outlay.domain.ids import OrganizationId
from outlay.kit.clock import to_us
from outlay.storage.ledger.checking import CheckedBatches
from outlay.storage.ledger.log import (
    NEWEST_FIRST,
    LogConditions,
    LogFilter,
    LogOrder,
    LogPosition,
    LogSort,
)
from outlay.storage.ledger.sqlite.store import SqliteLedger

ORGANIZATION = "org_bench"
LARGE, LARGE_EVENTS = 60, 5_000
SMALL = 5_000
"""Commits of one event, as an idle gateway makes them."""
ROUNDS = 40
PAGE = 50
SLOWEST_US = 60_000_000


class Unchecked(SqliteLedger):
    """The ledger without the check."""

    @override
    def _check(self, *_: object) -> None:
        return


def run() -> list[str]:
    """The table."""
    lines = ["| | unchecked p50, p95 | first look | checked p50, p95 |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite3"
        fill(path)
        with opened(Unchecked, path) as unchecked, opened(SqliteLedger, path) as checked:
            for name, ask in questions().items():
                before = timed(ask, unchecked)
                checked._checked = CheckedBatches()
                first = timed(ask, checked, rounds=1)
                after = timed(ask, checked)
                lines.append(
                    f"| {name} | {shown(before)} | {first[0] * 1e3:.1f} ms | {shown(after)} |"
                )
    return lines


def fill(path: Path) -> None:
    """Large batches of an import, then small ones of a gateway."""
    random = Random(3)
    with opened(SqliteLedger, path) as ledger:
        start = NOW - timedelta(days=60)
        for number in range(LARGE):
            ledger.append(
                [
                    make_event(
                        organization_id=ORGANIZATION,
                        event_id=f"l{number}-{part}",
                        app="rare" if part == 77 else "common",
                        event_time_us=to_us(start + timedelta(seconds=number * 50_000 + part)),
                        cost_source=CostSource.COMPUTED,
                        cost_pusd=random.randrange(10**12),
                        duration_us=random.randrange(SLOWEST_US),
                        input_tokens=random.randrange(100_000),
                    )
                    for part in range(LARGE_EVENTS)
                ]
            )
        start = NOW - timedelta(days=1)
        for number in range(SMALL):
            when = to_us(start + timedelta(seconds=number))
            ledger.append(
                [
                    make_event(
                        organization_id=ORGANIZATION, event_id=f"s{number}", event_time_us=when
                    )
                ]
            )


def questions() -> dict[str, Callable[[SqliteLedger], object]]:
    """The queries."""
    everything = LogFilter(
        organization_id=OrganizationId(ORGANIZATION), start_us=0, end_us=2**62, through_seq=2**62
    )
    rare = replace(everything, values={Dimension.APP: ["rare"]})
    slow = replace(everything, conditions=LogConditions(min_duration_us=SLOWEST_US * 9 // 10))
    middle_us = to_us(NOW - timedelta(days=30))
    middle = LogPosition(middle_us, middle_us, 0)
    dearest = LogOrder(LogSort.COST)
    random = Random(7)
    return {
        "the newest 50, of 50 batches of one": lambda ledger: page(ledger, everything),
        "50 that follow each other, of one batch of 5,000": lambda ledger: page(
            ledger, everything, after=middle
        ),
        "50 of a rare app, of 50 batches of 5,000": lambda ledger: page(ledger, rare),
        "the 50 dearest": lambda ledger: page(ledger, everything, dearest),
        "where the 50 dearest are": lambda ledger: ledger.read_positions(
            everything, dearest, None, PAGE
        ),
        "what the slowest tenth adds up to": lambda ledger: ledger.read_sums(slow),
        "what all adds up to": lambda ledger: ledger.read_sums(everything),
        "one request, by its id": lambda ledger: ledger.read_history(
            ORGANIZATION, f"l{random.randrange(3)}-{random.randrange(LARGE_EVENTS)}"
        ),
    }


def page(
    ledger: SqliteLedger,
    wanted: LogFilter,
    order: LogOrder = NEWEST_FIRST,
    after: LogPosition | None = None,
) -> object:
    """A page, read like the log does."""
    return ledger.read_logged(
        OrganizationId(ORGANIZATION), ledger.read_positions(wanted, order, after, PAGE)
    )


@contextmanager
def opened(kind: type[SqliteLedger], path: Path) -> Iterator[SqliteLedger]:
    """A ledger, closed at the end of the block."""
    ledger = kind(path, FixedClock(NOW))
    try:
        yield ledger
    finally:
        ledger.close()


def timed(
    ask: Callable[[SqliteLedger], object], ledger: SqliteLedger, rounds: int = ROUNDS
) -> list[float]:
    """Seconds per query."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        ask(ledger)
        times.append(time.perf_counter() - start)
    return times


def shown(times: list[float]) -> str:
    """Median and 95th percentile."""
    late = sorted(times)[len(times) * 95 // 100]
    return f"{statistics.median(times) * 1e3:.2f}, {late * 1e3:.2f} ms"

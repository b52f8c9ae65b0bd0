"""Durable ingest in batches of 1,000: through the ledger, and into the cube."""

import gc
import resource
import shutil
import tempfile
import time
from concurrent.futures import Future
from pathlib import Path
from random import Random
from typing import Final

from outlay.bootstrap.installation import open_installation
from outlay.cli.serving import GC_THRESHOLD
from outlay.domain.event import UsageEvent
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.outcome import Outcome
from outlay.settings import Settings

EVENTS: Final = 300_000
CHUNK: Final = 50_000
BATCH: Final = 1_000
IN_FLIGHT: Final = 8


def events(first: int, count: int) -> list[UsageEvent]:
    """An organization's traffic, most of which is from few keys and models."""
    random = Random(first)
    made = []
    start_us = 1_790_000_000_000_000
    for number in range(first, first + count):
        key = min(int(random.expovariate(0.12)), 39)
        model = min(int(random.expovariate(0.5)), 11)
        made.append(
            UsageEvent(
                event_id=EventId(f"0198f2a1-{number:012d}"),
                organization_id=OrganizationId("org_bench"),
                event_time_us=start_us + number * 3_000,
                project_id=f"prj_{key % 6}",
                api_key_id=f"key_{key}",
                member_id=f"mem_{key % 25}",
                user_id=f"mem_{key % 25}",
                groups=f"grp_{key % 6}",
                app=f"app_{key % 9}",
                provider=f"provider-{model % 5}",
                mapping=f"provider-{model % 5}/model-{model}",
                model=f"model-{model}",
                input_tokens=random.randrange(20_000),
                output_tokens=random.randrange(2_000),
                duration_us=random.randrange(200_000, 9_000_000),
                cost_pusd=random.randrange(10**11),
            )
        )
    return made


def run() -> list[str]:
    """The figures, as lines of Markdown."""
    folder = Path(tempfile.mkdtemp(prefix="outlay-bench-"))
    durable = loaded = 0.0
    gc.set_threshold(GC_THRESHOLD)  # as `outlay serve` does
    try:
        with open_installation(Settings(data=folder)) as services:
            services.projection.start()
            for first in range(0, EVENTS, CHUNK):
                made = events(first, CHUNK)
                begin = time.perf_counter()
                waiting: list[Future[list[Outcome]]] = []
                for position in range(0, CHUNK, BATCH):
                    waiting.append(services.ledger.submit(made[position : position + BATCH]))
                    if len(waiting) > IN_FLIGHT:
                        waiting.pop(0).result()
                for future in waiting:
                    future.result()
                durable += time.perf_counter() - begin
                services.projection.catch_up()
                loaded += time.perf_counter() - begin
            *_, report = services.maintenance.verify()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return [
        f"{EVENTS:,} events in batches of {BATCH:,}, acknowledged on disk while the cube loads:",
        "",
        "| | events/s |",
        "|---|---|",
        f"| acknowledged | {EVENTS / durable:,.0f} |",
        f"| and in the cube | {EVENTS / loaded:,.0f} |",
        "",
        f"Verified afterwards: {getattr(report, 'is_proven', False)}. Peak memory: {memory} MB.",
    ]

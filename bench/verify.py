"""Verifying a year of events: duration and memory, compared with reading everything once."""

import gc
import multiprocessing
import os
import resource
import shutil
import tempfile
import threading
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
from outlay.domain.verification import VerifyReport
from outlay.services.bundle import Services
from outlay.settings import Settings
from outlay.storage.cube.rollup_questions import Cells
from outlay.storage.cube.rollups import ROLLUPS

EVENTS: Final = 4_000_000
CHUNK: Final = 50_000
BATCH: Final = 1_000
IN_FLIGHT: Final = 8
_START_US: Final = 1_764_000_000_000_000
_YEAR_US: Final = 365 * 86_400 * 1_000_000


def year_events(first: int, count: int, total: int) -> list[UsageEvent]:
    """Traffic of an organization over a year: 400 keys, 150 users, 30 models, random ids.

    Nearly every event has a cell of its own, the worst case for a cube.
    """
    random = Random(first)
    made = []
    for number in range(first, first + count):
        key, model = random.randrange(400), random.randrange(30)
        made.append(
            UsageEvent(
                event_id=EventId(f"{random.getrandbits(128):032x}"),
                organization_id=OrganizationId("org_bench"),
                event_time_us=_START_US + number * (_YEAR_US // total),
                project_id=f"prj_{key % 12}",
                api_key_id=f"key_{key:012d}",
                member_id=f"mem_{key % 150}",
                user_id=f"mem_{key % 150}",
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


def fill(folder: Path, total: int) -> None:
    """Create an installation with a year of events."""
    gc.set_threshold(GC_THRESHOLD)
    with open_installation(Settings(data=folder)) as services:
        waiting: list[Future[list[Outcome]]] = []
        for first in range(0, total, CHUNK):
            made = year_events(first, CHUNK, total)
            for position in range(0, CHUNK, BATCH):
                waiting.append(services.ledger.submit(made[position : position + BATCH]))
                if len(waiting) > IN_FLIGHT:
                    waiting.pop(0).result()
            services.projection.catch_up()
        services.projection.fold()
        while services.projection.slot.cube.compact_one(2**31 - 1):
            pass


def read_once(services: Services) -> float:
    """The time to read every batch of the ledger and every cell of the cube."""
    begin = time.perf_counter()
    for _ in services.ledger.read_all(services.ledger.last_seq):
        pass
    with services.projection.slot.read() as reader:
        for spec in ROLLUPS:
            for _ in reader.ask(Cells(spec, OrganizationId("org_bench"), 0, 2**31 - 1)):
                pass
    return time.perf_counter() - begin


class Memory:
    """The peak memory of this process and its children.

    Sampled, because the kernel's counter for children includes pages shared before they started.
    """

    def __init__(self) -> None:
        self.peak_kb = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(0.5):
            children = Path("/proc/self/task").glob("*/children")
            own = [
                str(os.getpid()),
                *(pid for path in children for pid in path.read_text().split()),
            ]
            self.peak_kb = max(self.peak_kb, sum(map(_proportional_kb, own)))


def _proportional_kb(pid: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _cpu() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def run(total: int = EVENTS) -> list[str]:
    """The figures, as lines of Markdown."""
    folder = Path(tempfile.mkdtemp(prefix="outlay-bench-"))
    try:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            pool.apply(fill, (folder / "data", total))
        return measure(folder / "data")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(folder: Path) -> list[str]:
    """The figures of an existing installation."""
    with open_installation(Settings(data=folder)) as services:
        cpu, begin = _cpu(), time.perf_counter()
        with Memory() as memory:
            *_, report = services.maintenance.verify()
        seconds, used = time.perf_counter() - begin, _cpu() - cpu
        once = read_once(services)
    if not isinstance(report, VerifyReport) or not report.is_proven:
        raise AssertionError(report)
    return [
        f"{report.events:,} events of a year, {report.cells:,} cells:",
        "",
        "| | |",
        "|---|---|",
        f"| verified | {report.events / seconds:,.0f} events/s |",
        f"| CPU, of all processes | {used / report.events * 1e6:.1f} µs per event |",
        f"| time against reading ledger and cube once | {seconds / once:.2f} |",
        f"| peak memory, of all processes | {memory.peak_kb // 1024} MB |",
    ]

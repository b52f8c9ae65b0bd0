"""Proof that the cube equals the ledger, to the last pico-USD.

The cube is read first, in one snapshot. Then the ledger is read once, in the order of its batches:
every checksum is computed again, and every event that the snapshot covers is summed. By
organization and day (UTC), the sums of all measures must be equal, plain and weighted by cell, so
that no cell of a rollup can differ. The same holds for the answers of the cube and for its narrow
rollups. A day that differs is compared cell by cell to locate the difference.

Verification neither waits for questions or recording nor delays them: the snapshot ends before the
ledger is read, which happens in separate processes.
"""

import logging
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from outlay.domain.answers import ZERO
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged, Unavailable
from outlay.domain.ids import OrganizationId
from outlay.domain.verification import VerificationState, Verified, VerifyReport
from outlay.kit.clock import Clock
from outlay.kit.progress import Progress
from outlay.kit.throttle import Throttle
from outlay.services.cube.cube_sums import CubeSums, parts_of, sum_cube, sum_of
from outlay.services.cube.exact_comparison import (
    compare_day,
    compare_measures,
    compare_sums,
    compare_totals,
    place_of,
)
from outlay.services.cube.ledger_scan import ScanJob, ScanPart, split
from outlay.services.cube.ledger_sums import Day, DaySum, totals_of
from outlay.services.cube.projection import Projection
from outlay.services.cube.scan_process import OpenReader, scan_in_processes
from outlay.services.long_run import LongRun
from outlay.storage.cube.slot import CubeSlot
from outlay.storage.cube.store import CubeMismatch
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.verifications import find_verification, put_verification
from outlay.storage.ledger.store import Ledger

logger = logging.getLogger(__name__)

FEW_EVENTS: Final = 20_000
"""Ledgers up to this size are read in this process, which is as fast as starting another."""
MAX_PROCESSES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """The share of the machine that a verification may use."""

    processes: int
    share: float
    """Share of a processor, for each process."""


FULL_EFFORT: Final = Effort(processes=min(os.cpu_count() or 1, MAX_PROCESSES), share=1)
SHARED_EFFORT: Final = Effort(processes=1, share=0.5)


class Verification:
    """Compares ledger and cube and stores the outcome."""

    def __init__(
        self,
        ledger: Ledger,
        slot: CubeSlot,
        projection: Projection,
        directory: Directory,
        clock: Clock,
        open_reader: OpenReader | None = None,
    ) -> None:
        """`open_reader` opens the ledger in another process; without it, it is read in this one."""
        self._ledger = ledger
        self._directory = directory
        self._slot = slot
        self._projection = projection
        self._clock = clock
        self._open_reader = open_reader
        self._through: datetime | None = None
        self.last = Verified()
        """The outcome of the last verification, by any process."""
        self.refresh()

    def refresh(self) -> None:
        """Reload the cached data of the directory."""
        with self._directory.read() as session:
            self.last = find_verification(session) or Verified()

    def run(self, run: LongRun[VerifyReport], effort: Effort) -> VerifyReport:
        """Verify everything."""
        report = VerifyReport()
        edition = self._ledger.read_edition()
        try:
            self._compare(run, effort, report)
        except CubeMismatch:
            raise
        except Damaged as damage:
            report.damage = damage.message
        if self._ledger.read_edition() != edition:
            raise Unavailable(
                "Ledger rows were rewritten during the comparison. Run the verification again.",
                code=ErrorCode.REWRITTEN,
            )
        self._store(report)
        return report

    def _store(self, report: VerifyReport) -> None:
        found = Verified(
            state=VerificationState.VERIFIED if report.is_proven else VerificationState.DIFFERS,
            at=self._clock.now(),
            events=report.events,
            through_seq=report.through_seq,
            through=self._through,
            finding=report.finding,
        )
        if not report.is_proven:
            logger.error("the verification failed: %s", report.finding)
        with self._directory.change() as session:
            put_verification(session, found)
        self.refresh()

    def _compare(self, run: LongRun[VerifyReport], effort: Effort, report: VerifyReport) -> None:
        for progress in self._projection.load_steps():
            run.tell(progress)
        salt = secrets.token_hex(8)
        throttle = Throttle(effort.share, run.sleep)

        def tell(progress: Progress) -> None:
            run.tell(progress)
            throttle.pause()

        # Read before the snapshot, so that the snapshot reaches at least as far.
        self._through = self._projection.data_through()
        with self._slot.read() as reader:
            cube = sum_cube(reader, salt, tell)
        report.through_seq, report.cells = cube.through_seq, cube.cells
        job = ScanJob(
            after_seq=0,
            through_seq=self._ledger.newest_seq(),
            summed_seq=cube.through_seq,
            salt=salt,
            share=effort.share,
        )
        days: dict[Day, DaySum] = {}
        for part in self._scan(job, effort.processes, run.check):
            report.events += part.events
            for day, found in part.days.items():
                days.setdefault(day, DaySum()).add(found)
            run.tell(Progress("checksums", report.events, max(job.through_seq, report.events)))
        report.days = len(days)
        self._compare_sums(run, report, days, cube)

    def _scan(self, job: ScanJob, processes: int, check: Callable[[], None]) -> Iterator[ScanPart]:
        if self._open_reader is None or job.through_seq <= FEW_EVENTS:
            for part in job.parts(self._ledger):
                check()
                yield part
        else:
            jobs = split(self._ledger, job, processes)
            yield from scan_in_processes(self._open_reader, jobs, check)

    def _compare_sums(
        self,
        run: LongRun[VerifyReport],
        report: VerifyReport,
        days: dict[Day, DaySum],
        cube: CubeSums,
    ) -> None:
        nothing = DaySum()
        differing = {
            day
            for day in days.keys() | cube.days.keys()
            if days.get(day, nothing) != cube.days.get(day, nothing)
        }
        for done, day in enumerate(sorted(differing)):
            if report.is_full:
                report.difference_count += len(differing) - done
                break
            run.tell(Progress("days that differ", done, len(differing)))
            mine, theirs = days.get(day, nothing), cube.days.get(day, nothing)
            events = max(totals_of(mine.plain).requests, totals_of(theirs.plain).requests)
            with self._slot.read() as reader:
                is_reported = compare_day(reader, self._ledger, day, events, report)
            if not is_reported:
                compare_sums(report, day, mine, theirs)
        for wrong in cube.wrong_answers:
            expected = sum_of(days, wrong.organization_id, wrong.days, wrong.dimension)
            what = f"sum over every {wrong.dimension.noun}" if wrong.dimension else "total"
            where = f"{_place_of_days(wrong.organization_id, wrong.days)}, {what}"
            compare_totals(report, where, expected, wrong.answered)
        for organization_id, wrong_days, spec, answered in cube.wrong_parts:
            where = f"{_place_of_days(organization_id, wrong_days)}, sum over all {spec.name}"
            in_ledger = parts_of(days, organization_id, wrong_days, spec)
            compare_measures(report, spec, where, in_ledger, answered)
        self._compare_wholes(report, days, cube)

    def _compare_wholes(
        self, report: VerifyReport, days: dict[Day, DaySum], cube: CubeSums
    ) -> None:
        """Compare what does not belong to a day: all-time totals, narrow rollups and the row
        count."""
        ever: dict[OrganizationId, int] = {}
        for (organization_id, _), found in days.items():
            ever[organization_id] = ever.get(organization_id, 0) + found.plain
        for organization_id in sorted(ever.keys() | cube.ever.keys()):
            ledger = totals_of(ever.get(organization_id, 0))
            answered = cube.ever.get(organization_id, ZERO)
            compare_totals(report, f"{organization_id}, all time", ledger, answered)
            report.cost_pusd += ledger.cost_pusd
        for name, cells in cube.narrow.items():
            report.add(f"rollup {name}", "cells that differ", ledger=0, cube=cells)
        counted = sum((totals_of(found.plain).requests for found in cube.days.values()), 0)
        report.add(
            "all events up to the cube's position",
            "requests",
            ledger=self._ledger.count_requests(cube.through_seq),
            cube=counted,
        )


def _place_of_days(organization_id: OrganizationId, days: tuple[int, ...]) -> str:
    """The label of some days of an organization."""
    place = place_of((organization_id, days[0]))
    return f"{place} and {len(days) - 1} more days" if len(days) > 1 else place

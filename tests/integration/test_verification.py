"""Verification of the cube: the same sums by other means, in other processes, whatever goes
wrong."""

import logging
import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.backdoor import duckdb_of
from tests.clocks import FixedClock
from tests.factories import NOW, make_event
from tests.integration.test_projection import random_events

from outlay.bootstrap.installation import open_installation
from outlay.domain.answers import ZERO, Totals
from outlay.domain.discovery import NO_MERGES
from outlay.domain.errors import Damaged, Unavailable
from outlay.domain.event import CostSource, UsageSource, split_groups
from outlay.domain.fingerprint import SEPARATOR, cell_weight
from outlay.domain.ids import OrganizationId
from outlay.domain.period import BUCKET_US, BUCKETS_PER_DAY
from outlay.domain.query import UsageQuery
from outlay.domain.questions import StepTotals
from outlay.domain.verification import VerificationState, VerifyReport
from outlay.engines import open_sqlite_reader
from outlay.kit.progress import Progress
from outlay.services.bundle import Services
from outlay.services.cube import verification as verification_module
from outlay.services.cube.cube_sums import EVER
from outlay.services.cube.exact_comparison import measures_of
from outlay.services.cube.ledger_scan import ScanJob, ScanPart, split
from outlay.services.cube.ledger_sums import Day, DaySum, LedgerSums, totals_of
from outlay.services.cube.maintenance import SETTLE
from outlay.services.cube.scan_process import scan_in_processes
from outlay.services.long_run import LongRun
from outlay.settings import Settings
from outlay.storage.cube.rollup_questions import Fingerprints
from outlay.storage.cube.rollups import DIMENSIONS, LATENCY, USAGE
from outlay.storage.ledger.rows import to_row

SALT = "0123"


def verify(services: Services) -> VerifyReport:
    *_, report = services.maintenance.verify()
    assert isinstance(report, VerifyReport)
    return report


@pytest.fixture
def in_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every ledger is read in separate processes."""
    monkeypatch.setattr(verification_module, "FEW_EVENTS", 0)


def test_sums_of_the_ledger_equal_those_of_its_events() -> None:
    events = random_events(800)
    sums = LedgerSums(SALT)
    sums.add(to_row(event, seq, 0) for seq, event in enumerate(events, 1))

    plain: dict[Day, Totals] = {}
    weighted: dict[Day, list[int]] = {}
    grouped: dict[Day, Totals] = {}
    for event in events:
        bucket = event.event_time_us // BUCKET_US
        day = (event.organization_id, bucket // BUCKETS_PER_DAY)
        labels = [str(getattr(event, name)) for name in DIMENSIONS if name != "bucket"]
        weight = cell_weight(SEPARATOR.join([*labels, str(bucket), SALT]))
        measures = measures_of(event)
        plain[day] = plain.get(day, ZERO).plus(measures)
        before = weighted.get(day, [0] * len(measures))
        weighted[day] = [a + weight * b for a, b in zip(before, measures, strict=True)]
        for _ in split_groups(event.groups)[1:]:
            grouped[day] = grouped.get(day, ZERO).plus(measures)
    assert {day: totals_of(found.plain) for day, found in sums.days.items()} == plain
    assert {day: [*totals_of(found.weighted)] for day, found in sums.days.items()} == weighted
    assert {
        day: totals_of(found.more_groups) for day, found in sums.days.items() if found.more_groups
    } == grouped


def test_negative_numbers_are_summed_correctly() -> None:
    event = make_event(cost_pusd=-5, input_tokens=7)
    sums = LedgerSums(SALT)
    sums.add([to_row(event, 1, 0)] * 3)

    (found,) = sums.days.values()
    assert totals_of(found.plain) == Totals(
        requests=3, cost_pusd=-15, input_tokens=21, unpriced_requests=3
    )


def test_cube_and_ledger_use_the_same_cell_weights(services: Services) -> None:
    services.ledger.append([make_event(user_id="Jürgen 💶", duration_us=5, cost_pusd=2**62)] * 1)
    services.projection.catch_up()
    (row,) = next(services.ledger.read_batches(0)).rows
    sums = LedgerSums(SALT)
    sums.add([row])
    ((_, expected),) = sums.days.items()
    with services.projection.slot.read() as reader:
        (usage,) = reader.ask(Fingerprints(USAGE, SALT, 0, 2**31 - 1))
        (latency,) = reader.ask(Fingerprints(LATENCY, SALT, 0, 2**31 - 1))

    assert Totals._make(usage.weighted) == totals_of(expected.weighted)
    assert latency.weighted == (usage.weighted[0],)


# Reading the ledger in processes


@pytest.fixture
def job(services: Services) -> ScanJob:
    for seed in range(6):
        services.ledger.append(random_events(500, seed))
    return ScanJob(after_seq=0, through_seq=3_000, summed_seq=2_600, salt=SALT, share=1)


def collected(parts: Iterator[ScanPart]) -> tuple[int, dict[Day, DaySum]]:
    events, days = 0, dict[Day, DaySum]()
    for part in parts:
        events += part.events
        for day, found in part.days.items():
            days.setdefault(day, DaySum()).add(found)
    return events, days


def test_parts_of_the_ledger_add_up(services: Services, job: ScanJob) -> None:
    jobs = split(services.ledger, job, 4)
    open_reader = partial(open_sqlite_reader, services.settings.database_path)

    assert [(one.after_seq, one.through_seq) for one in jobs] == [
        (0, 1_000),
        (1_000, 1_500),
        (1_500, 2_500),
        (2_500, 3_000),
    ]
    whole = collected(job.parts(services.ledger))
    assert collected(scan_in_processes(open_reader, jobs[:2] + jobs[2:], lambda: None)) == whole
    assert sum(totals_of(found.plain).requests for found in whole[1].values()) == 2_600
    assert whole[0] == 3_000


@pytest.mark.usefixtures("in_processes")
def test_damage_is_found_in_every_part(services: Services, job: ScanJob) -> None:
    assert verify(services).is_proven
    with sqlite3.connect(services.settings.database_path) as connection:
        connection.execute("UPDATE usage_event SET model = 'another' WHERE seq = 2900")

    report = verify(services)

    assert report.damage is not None
    assert "Batch 6 of the ledger" in report.damage
    assert services.analytics.freshness().verified.state is VerificationState.DIFFERS


@pytest.mark.parametrize("has_ended", [False, True], ids=["at work", "before its job"])
def test_killed_process_is_an_error_and_leaves_none_behind(
    services: Services, job: ScanJob, monkeypatch: pytest.MonkeyPatch, has_ended: bool
) -> None:
    started = []
    popen = subprocess.Popen

    def start(*arguments: Any, **options: Any) -> "subprocess.Popen[bytes]":
        process: subprocess.Popen[bytes] = popen(*arguments, **options)
        started.append(process)
        if len(started) == 2:
            os.kill(process.pid, signal.SIGKILL)
            if has_ended:
                process.wait()
        return process

    monkeypatch.setattr(subprocess, "Popen", start)
    jobs = split(services.ledger, replace(job, share=0.01), 2)
    open_reader = partial(open_sqlite_reader, services.settings.database_path)

    with pytest.raises(Unavailable, match="was terminated"):
        collected(scan_in_processes(open_reader, jobs, lambda: None))
    assert all(process.returncode is not None for process in started)


@pytest.mark.usefixtures("in_processes")
def test_ledger_written_concurrently_is_verified_up_to_the_cube(
    services: Services, job: ScanJob
) -> None:
    is_over = threading.Event()

    def write() -> None:
        seed = 100
        while not is_over.is_set():
            services.ledger.append(random_events(50, seed))
            seed += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        report = verify(services)
    finally:
        is_over.set()
        writer.join()
    assert report.is_proven, report.differences
    assert report.events >= report.through_seq >= 3_000


# One at a time, without open resources


def held(services: Services) -> tuple[threading.Event, threading.Thread]:
    """An erasure that runs until the event is set."""
    proceed, begun = threading.Event(), threading.Event()

    def change() -> int:
        begun.set()
        proceed.wait(60)
        return 0

    thread = threading.Thread(target=services.maintenance.rewrite, args=(change, "Ada"))
    thread.start()
    assert begun.wait(30)
    return proceed, thread


def test_only_one_maintenance_task_runs_and_it_is_named(services: Services) -> None:
    proceed, thread = held(services)
    for begin in (services.maintenance.verify, services.maintenance.rebuild):
        with pytest.raises(
            Unavailable,
            match="an erasure, started by Ada at 2026-11-20 12:00:00 UTC, is still running",
        ) as refused:
            begin()
        assert refused.value.code == "busy"
    proceed.set()
    thread.join()
    assert verify(services).is_proven


def test_task_without_followers_finishes(services: Services) -> None:
    services.ledger.append(random_events(100))
    following = iter(services.maintenance.verify())
    del following
    abandoned = services.maintenance
    deadline = time.monotonic() + 60
    while abandoned.is_busy and time.monotonic() < deadline:
        time.sleep(0.01)

    assert services.analytics.freshness().verified.state is VerificationState.VERIFIED
    list(services.maintenance.rebuild())


@pytest.mark.parametrize("error", [RuntimeError("a bug"), Damaged("no")])
def test_failing_task_reports_its_error_and_releases_everything(
    services: Services,
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    services.ledger.append(random_events(10))
    with monkeypatch.context() as patched:

        def fail(*_: object) -> None:
            raise error

        patched.setattr("outlay.services.cube.projection.fill", fail)
        with pytest.raises(type(error)):
            list(services.maintenance.rebuild())

    list(services.maintenance.rebuild())
    assert verify(services).is_proven
    assert ("a rebuild failed" in caplog.text) == isinstance(error, RuntimeError)


def test_several_followers_each_see_the_end() -> None:
    run = LongRun[int](what="work", asked_by="a test", since=NOW)
    proceed = threading.Event()

    def work(own: LongRun[int]) -> int:
        for done in range(3):
            own.tell(Progress("things", done, 3))
        proceed.wait(30)
        own.tell(Progress("things", 3, 3))
        return 7

    seen: list[list[Progress]] = [[], []]
    followers = [
        threading.Thread(target=lambda into=into: into.extend(run.follow())) for into in seen
    ]
    for follower in followers:
        follower.start()
    run.start(work, lambda: None)
    proceed.set()
    for follower in followers:
        follower.join()

    assert run.result() == 7
    assert all(each[-1] == Progress("things", 3, 3) for each in seen)


# Scheduled


def test_verification_is_due_nightly_and_after_a_rebuild(
    services: Services, clock: FixedClock
) -> None:
    maintenance = services.maintenance
    services.ledger.append(random_events(50))
    assert not maintenance.is_due(clock.now())  # just started
    clock.instant += SETTLE
    assert maintenance.is_due(clock.now())  # never verified
    found = maintenance.verify_on_schedule()
    assert found is not None
    assert (found.state, found.events, found.through_seq) == (VerificationState.VERIFIED, 50, 50)
    assert found.at == found.through == clock.now()

    assert not maintenance.is_due(clock.now())
    due = [hour for hour in range(25) if maintenance.is_due(NOW + timedelta(hours=hour))]
    assert due == list(range(16, 25))  # from three o'clock on, or a little later

    list(maintenance.rebuild())
    assert maintenance.is_due(clock.now())
    assert maintenance.verify_on_schedule() is not None
    assert not maintenance.is_due(clock.now())


def test_scheduled_verification_gives_way(
    services: Services, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.ledger.append(random_events(500))
    clock.instant += SETTLE
    is_held = threading.Event()
    load_steps = services.projection.load_steps

    def wait() -> Iterator[Progress]:
        is_held.set()
        while True:
            yield Progress("events", 0, 1)

    monkeypatch.setattr(services.projection, "load_steps", wait)
    outcome: list[object] = []
    thread = threading.Thread(
        target=lambda: outcome.append(services.maintenance.verify_on_schedule())
    )
    thread.start()
    assert is_held.wait(30)
    monkeypatch.setattr(services.projection, "load_steps", load_steps)

    assert verify(services).is_proven
    thread.join()
    assert outcome == [None]


def test_failed_verification_is_logged_as_error(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    services.ledger.append(random_events(50))
    services.projection.catch_up()
    database = duckdb_of(services.projection.slot.cube)
    database.execute("UPDATE usage_delta SET cost_pusd = cost_pusd + 1 WHERE rowid = 0")

    with caplog.at_level(logging.ERROR):
        found = services.maintenance.verify_on_schedule()

    assert found is not None
    assert found.state is VerificationState.DIFFERS
    assert "cost_pusd is" in found.finding
    assert found.finding in caplog.text


def test_closing_stops_a_verification(
    tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_installation(Settings(data=tmp_path), clock) as services:
        endless = iter(lambda: Progress("events", 0, 1), None)
        monkeypatch.setattr(services.projection, "load_steps", lambda: endless)
        services.maintenance.verify()
        services.maintenance.stop()
        assert not services.maintenance.is_busy
        with pytest.raises(Unavailable, match="shutting down"):
            services.maintenance.rebuild()


def test_unknown_usage_is_not_a_missing_price_in_ledger_and_cube(services: Services) -> None:
    unknown = [
        make_event(usage_source=UsageSource.UNKNOWN, cost_source=source)
        for source in (CostSource.UNPRICED, CostSource.REPORTED)
    ]
    services.ledger.append([*unknown, make_event(cost_source=CostSource.UNPRICED)])
    services.projection.catch_up()

    report = verify(services)

    assert report.differences == []
    with services.projection.slot.read() as reader:
        (total,) = reader.ask(
            StepTotals(
                UsageQuery(
                    organization_id=OrganizationId("org_test"), merges=NO_MERGES, period=EVER
                )
            )
        ).values()
    assert (total.unpriced_requests, total.unknown_usage_requests) == (1, 2)

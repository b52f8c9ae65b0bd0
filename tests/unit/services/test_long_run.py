"""Long-running work: followed from outside, stopped, and its result reported to all followers."""

import threading

import pytest
from tests.factories import NOW

from outlay.domain.errors import Invalid
from outlay.kit.progress import Progress
from outlay.services.long_run import LongRun, Stopped


@pytest.fixture
def run() -> LongRun[int]:
    return LongRun[int](what="a test", asked_by="somebody", since=NOW)


def nothing() -> None:
    """Does nothing at the end."""


def test_followers_get_progress_and_result(run: LongRun[int]) -> None:
    go_on = threading.Event()

    def work(own: LongRun[int]) -> int:
        own.tell(Progress("things", 1, 2))
        go_on.wait(10)
        own.tell(Progress("things", 2, 2))
        return 5

    run.start(work, nothing)
    reports = []
    for progress in run.follow():
        reports.append(progress.done)
        go_on.set()

    assert reports[0] == 1
    assert reports[-1] == 2
    assert run.result() == 5


def test_work_that_is_stopped_ends_at_its_next_step(run: LongRun[int]) -> None:
    started = threading.Event()

    def work(own: LongRun[int]) -> int:
        started.set()
        while True:
            own.sleep(10)
            own.check()

    run.start(work, nothing)
    started.wait(10)
    run.stop()

    with pytest.raises(Stopped, match="a test was stopped"):
        run.result()


def test_end_callback_runs_before_followers_are_notified(run: LongRun[int]) -> None:
    ended: list[str] = []

    def work(_: LongRun[int]) -> int:
        raise Invalid("wrong")

    run.start(work, lambda: ended.append("end"))

    with pytest.raises(Invalid):
        run.result()
    assert ended == ["end"]
    assert run.join(0)

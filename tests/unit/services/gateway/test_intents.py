"""The gateway's batches for the ledger: together, in order, and nothing lost if it cannot write."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from tests.factories import NOW, make_event

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import LimitReached, OutlayError, Unavailable
from outlay.domain.event import UsageEvent
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.outcome import Outcome
from outlay.services.gateway import intents as journal_module
from outlay.services.gateway.intents import IntentLog
from outlay.storage.ledger.rescue import RescueFile
from outlay.storage.ledger.rows import Intent
from outlay.storage.ledger.store import Ledger, Refused, Settled

AWAY = Unavailable(
    "The ledger is not writable. Try again later.", code=ErrorCode.LEDGER_UNAVAILABLE
)


class Submission(NamedTuple):
    """A submission and its future."""

    events: Sequence[UsageEvent]
    intents: Sequence[Intent]
    settled: Sequence[Settled]
    refused: Refused | None
    done: Future[list[Outcome]]

    def commit(self) -> None:
        """Resolve the future as if it were on disk."""
        self.done.set_result([Outcome.ACCEPTED] * len(self.events))


class HeldLedger:
    """A ledger that commits when a test does so."""

    def __init__(self) -> None:
        self.failure: str | None = None
        self.refusal: OutlayError | None = None
        """Why nothing is accepted, if there is a reason."""
        self.submitted: list[Submission] = []

    def submit(
        self,
        events: Sequence[UsageEvent],
        *,
        intents: Sequence[Intent] = (),
        settled: Sequence[Settled] = (),
        refused: Refused | None = None,
    ) -> Future[list[Outcome]]:
        """Accept a submission, or refuse it."""
        if self.refusal:
            raise self.refusal
        taken = Submission(events, intents, settled, refused, Future())
        self.submitted.append(taken)
        return taken.done


class Bench:
    """An IntentLog with a ledger that the test controls."""

    def __init__(self, folder: Path) -> None:
        self.ledger = HeldLedger()
        self.rescue = RescueFile(folder / "rescue.jsonl")
        self.journal = IntentLog(cast(Ledger, self.ledger), self.rescue)

    async def submission(self, number: int) -> Submission:
        """The submission with a number, from 0, once it was made."""
        for _ in range(400):
            if len(self.ledger.submitted) > number:
                return self.ledger.submitted[number]
            await asyncio.sleep(0.005)
        raise AssertionError(f"only {len(self.ledger.submitted)} submissions")

    async def overdue(self, count: int) -> None:
        """Wait until this many outcomes are overdue."""
        for _ in range(400):
            if self.journal.overdue == count:
                return
            await asyncio.sleep(0.005)
        raise AssertionError(f"{self.journal.overdue} wait instead of {count}")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(journal_module, "RETRY_SECONDS", 0.01)
    made = Bench(tmp_path)
    yield made
    made.rescue.close()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario in a separate event loop, whatever other tests have left behind."""

    async def limited() -> None:
        await asyncio.wait_for(cast(Any, scenario()), 20)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, limited()).result()


def intent(number: int) -> Intent:
    return Intent(OrganizationId("org_test"), EventId(f"request-{number}"), b"begun")


def pair(event: UsageEvent) -> Settled:
    return event.organization_id, event.event_id


def test_intent_is_open_once_it_is_on_disk(bench: Bench) -> None:
    async def scenario() -> None:
        opening = asyncio.create_task(bench.journal.open(intent(1)))
        handed = await bench.submission(0)
        await asyncio.sleep(0.02)
        assert handed.intents == [intent(1)]
        assert not opening.done()
        handed.commit()
        await opening

    run(scenario)


def test_outcome_deletes_its_intent_and_waits_for_the_disk(bench: Bench) -> None:
    event = make_event()

    async def scenario() -> None:
        settling = asyncio.create_task(bench.journal.settle(event))
        handed = await bench.submission(0)
        await asyncio.sleep(0.02)
        assert (handed.events, handed.settled) == ([event], [pair(event)])
        assert not settling.done()
        handed.commit()
        await settling

    run(scenario)


def test_submissions_during_a_transaction_go_into_the_next(
    bench: Bench,
) -> None:
    events = [make_event() for _ in range(3)]

    async def scenario() -> None:
        first = asyncio.create_task(bench.journal.open(intent(0)))
        handed = await bench.submission(0)
        others = [asyncio.create_task(bench.journal.open(intent(number))) for number in (1, 2)]
        others += [asyncio.create_task(bench.journal.settle(event)) for event in events]
        await asyncio.sleep(0.02)
        assert len(bench.ledger.submitted) == 1
        handed.commit()
        await first
        together = await bench.submission(1)
        assert [one.event_id for one in together.intents] == ["request-1", "request-2"]
        assert list(together.events) == events
        together.commit()
        await asyncio.gather(*others)
        assert len(bench.ledger.submitted) == 2

    run(scenario)


def test_refused_intent_affects_no_other(bench: Bench) -> None:
    refusal = LimitReached("the limit of the key is reached", resets_at=NOW, retry_after=60)

    async def scenario() -> None:
        tasks = [asyncio.create_task(bench.journal.open(intent(number))) for number in (1, 2)]
        handed = await bench.submission(0)
        assert handed.refused is not None
        handed.refused(handed.intents[1], refusal)
        handed.commit()
        await tasks[0]
        with pytest.raises(LimitReached):
            await tasks[1]

    run(scenario)


def test_unavailable_ledger_refuses_requests_and_keeps_outcomes(bench: Bench) -> None:
    event = make_event()

    async def scenario() -> None:
        bench.ledger.refusal = AWAY
        with pytest.raises(Unavailable):
            await bench.journal.open(intent(1))
        await bench.journal.settle(event)
        assert bench.journal.overdue == 1
        bench.ledger.refusal = None
        with pytest.raises(Unavailable):  # while an outcome is waiting, nothing is admitted
            await bench.journal.open(intent(2))
        retried = await bench.submission(0)
        assert (list(retried.events), list(retried.settled)) == ([event], [pair(event)])
        retried.commit()
        await bench.overdue(0)

    run(scenario)


def test_failed_commit_keeps_every_outcome_for_a_retry(bench: Bench) -> None:
    events = [make_event() for _ in range(3)]

    async def scenario() -> None:
        settling = [asyncio.create_task(bench.journal.settle(event)) for event in events]
        (await bench.submission(0)).done.set_exception(AWAY)
        await asyncio.gather(*settling)
        assert bench.journal.overdue == 3
        (await bench.submission(1)).done.set_exception(AWAY)
        retried = await bench.submission(2)
        assert list(retried.events) == events
        retried.commit()
        await bench.overdue(0)

    run(scenario)


def test_submitted_batch_is_immutable(bench: Bench) -> None:
    """The ledger's thread splits outcomes by the length of what was submitted."""
    first, second = make_event(), make_event()

    async def scenario() -> None:
        bench.ledger.refusal = AWAY
        await bench.journal.settle(first)
        bench.ledger.refusal = None
        retried = await bench.submission(0)
        bench.ledger.refusal = AWAY
        await bench.journal.settle(second)
        assert list(retried.events) == [first]
        assert list(retried.settled) == [pair(first)]
        bench.ledger.refusal = None
        retried.commit()
        last = await bench.submission(1)
        assert list(last.events) == [second]
        last.commit()
        await bench.overdue(0)

    run(scenario)


def test_failed_ledger_leaves_outcomes_to_the_rescue_file(
    bench: Bench,
) -> None:
    event = make_event()

    async def scenario() -> None:
        bench.ledger.failure = "disk I/O error"
        bench.ledger.refusal = Unavailable(bench.ledger.failure, code=ErrorCode.LEDGER_FAILED)
        await bench.journal.settle(event)
        assert bench.journal.overdue == 0

    run(scenario)
    assert list(bench.rescue.read()) == [event]


def test_remaining_outcomes_are_submitted_once_at_the_end(bench: Bench) -> None:
    waiting, late = make_event(), make_event()

    async def scenario() -> None:
        bench.ledger.refusal = AWAY
        await bench.journal.settle(waiting)
        bench.ledger.refusal = None
        bench.journal.flush()
        bench.journal.flush()
        bench.journal.settle_now(late)

    run(scenario)
    handed = [event for part in bench.ledger.submitted for event in part.events]
    assert sorted(event.event_id for event in handed) == [waiting.event_id, late.event_id]


def test_outcomes_refused_at_the_end_are_rescued(bench: Bench) -> None:
    refused, failed = make_event(), make_event()
    bench.ledger.refusal = AWAY
    bench.journal.settle_now(refused)
    bench.ledger.refusal = None
    bench.journal.settle_now(failed)
    bench.ledger.submitted[0].done.set_exception(AWAY)

    assert list(bench.rescue.read()) == [refused, failed]


def test_cancelled_waiter_affects_nobody(bench: Bench) -> None:
    async def scenario() -> None:
        gone = asyncio.create_task(bench.journal.open(intent(1)))
        stays = asyncio.create_task(bench.journal.open(intent(2)))
        handed = await bench.submission(0)
        gone.cancel()
        await asyncio.sleep(0)
        handed.commit()
        await stays
        assert gone.cancelled()

    run(scenario)


def test_outcome_is_kept_if_its_request_was_cancelled(
    bench: Bench,
) -> None:
    event = make_event()

    async def scenario() -> None:
        task = asyncio.create_task(bench.journal.settle(event))
        handed = await bench.submission(0)
        task.cancel()
        await asyncio.sleep(0)
        handed.done.set_exception(AWAY)
        (await bench.submission(1)).commit()  # it is retried
        await bench.overdue(0)
        assert list(bench.ledger.submitted[1].events) == [event]

    run(scenario)


def test_outcome_is_rescued_if_its_request_was_cancelled(
    bench: Bench,
) -> None:
    event = make_event()

    async def scenario() -> None:
        task = asyncio.create_task(bench.journal.settle(event))
        handed = await bench.submission(0)
        task.cancel()
        await asyncio.sleep(0)
        bench.ledger.failure = "disk I/O error"
        handed.done.set_exception(Unavailable(bench.ledger.failure, code=ErrorCode.LEDGER_FAILED))
        for _ in range(400):
            if bench.rescue.count:
                break
            await asyncio.sleep(0.005)

    run(scenario)
    assert bench.rescue.read() == [event]


def test_outcome_in_flight_is_rescued_after_the_loop_ended(
    bench: Bench,
) -> None:
    event, refusal = make_event(), Unavailable("disk I/O error", code=ErrorCode.LEDGER_FAILED)

    async def scenario() -> None:
        task = asyncio.create_task(bench.journal.settle(event))
        await bench.submission(0)
        task.cancel()

    run(scenario)
    bench.journal.flush()
    bench.ledger.submitted[0].done.set_exception(refusal)
    assert bench.rescue.read() == [event]


def test_committed_outcome_in_flight_is_not_rescued(bench: Bench) -> None:
    async def scenario() -> None:
        task = asyncio.create_task(bench.journal.settle(make_event()))
        await bench.submission(0)
        task.cancel()

    run(scenario)
    bench.journal.flush()
    bench.journal.flush()
    bench.ledger.submitted[0].commit()
    assert bench.rescue.read() == []


def test_outcome_after_the_final_flush_is_not_lost(bench: Bench) -> None:
    event = make_event()

    async def scenario() -> None:
        bench.journal.flush()
        bench.ledger.failure = "disk I/O error"
        bench.ledger.refusal = Unavailable(bench.ledger.failure, code=ErrorCode.LEDGER_FAILED)
        await bench.journal.settle(event)

    run(scenario)
    assert bench.rescue.read() == [event]

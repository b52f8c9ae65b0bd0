"""Comparison of the ledger with the upstream's counts and the senders' acknowledgements."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.gateway.conftest import counted, tokens_of
from tests.upstream import Served

from bench.soak.load import Load
from outlay.domain.event import UsageEvent
from outlay.domain.ids import EventId
from outlay.engines import open_reading
from outlay.settings import Settings
from outlay.storage.ledger.rows import from_row


@dataclass
class Account:
    """The compared numbers, and the deviations."""

    calls: int = 0
    """Answers of the upstream."""
    relayed: int = 0
    """Gateway events with an answer."""
    unanswered: int = 0
    """Gateway events without one: their client disconnected first."""
    sent: int = 0
    """Recorded events of other senders."""
    faults: list[str] = field(default_factory=list)


def compare(data: Path, served: list[Served], load: Load) -> Account:
    """Compare the ledger of a stopped server with the upstream and the senders."""
    account = Account()
    relayed: list[UsageEvent] = []
    sent: list[UsageEvent] = []
    with open_reading(Settings(data=data)) as (ledger, _):
        for batch in ledger.read_batches(0, 10**9):
            for event in map(from_row, batch.rows):
                (relayed if event.source == "gateway" else sent).append(event)
        open_intents = len(ledger.intents())
    compare_relayed(account, relayed, served, load)
    compare_sent(account, sent, load)
    if open_intents:
        account.faults.append(f"{open_intents} requests have no outcome")
    return account


def compare_relayed(
    account: Account, events: list[UsageEvent], served: list[Served], load: Load
) -> None:
    """Each answer of the upstream is recorded once, with its count, even if the client
    disconnected.
    """
    answers = {entry.response_id: entry for entry in served if entry.response_id}
    times = Counter(event.response_id for event in events if event.response_id)
    account.calls, account.relayed = len(answers), times.total()
    account.unanswered = len(events) - account.relayed
    for response_id in {*answers, *times}:
        if times[response_id] != 1 or response_id not in answers:
            account.faults.append(f"{response_id} is on record {times[response_id]} times")
    for event in events:
        entry = answers.get(event.response_id)
        if entry is not None and tokens_of(event) != counted(entry):
            account.faults.append(f"{event.response_id} is on record with {tokens_of(event)}")
    recorded = {event.event_id: event.response_id for event in events}
    for request_id, response_id in load.finished.items():
        if recorded.get(EventId(request_id)) != response_id:
            account.faults.append(f"request {request_id} is not on record as {response_id}")


def compare_sent(account: Account, events: list[UsageEvent], load: Load) -> None:
    """Each acknowledged event is recorded once; others only if they were sent."""
    account.sent = len(events)
    recorded = {event.event_id: event.input_tokens for event in events}
    if len(recorded) != len(events):
        account.faults.append(f"{len(events) - len(recorded)} events are on record twice")
    for event_id, tokens in load.acknowledged.items():
        if recorded.get(EventId(event_id)) != tokens:
            account.faults.append(f"{event_id} was acknowledged and is not on record")
    foreign = set(recorded) - set(load.acknowledged) - load.given_up
    if foreign:
        account.faults.append(f"{len(foreign)} events are on record that nobody sent")

"""The soak test detects growth, and nothing else."""

from random import Random

import pytest
from bench.soak.account import Account, compare_relayed, compare_sent
from bench.soak.load import Load
from bench.soak.samples import GAUGES
from bench.soak.trend import Gauge, table_of, trend_of, trends_of
from tests.factories import make_event
from tests.upstream import Served

from outlay.domain.event import UsageEvent

MINUTES = 20
SAMPLES = MINUTES * 12
FLAT = {
    "files": 45.0,
    "connections": 40.0,
    "threads": 30.0,
    "memory": 300.0,
    "write-ahead log": 32.0,
    "open intents": 3.0,
    "outcomes overdue": 0.0,
    "events not in answers yet": 50.0,
}


def noisy(per_minute: dict[str, float]) -> list[dict[str, float]]:
    """Samples of twenty minutes that grow by some amount per minute, with noise and peaks."""
    random = Random(3)
    samples = []
    for index in range(SAMPLES):
        sample = {}
        for name, level in FLAT.items():
            grown = level + per_minute.get(name, 0.0) * MINUTES * index / SAMPLES
            peak = 1.5 if random.random() < 0.05 and name != "outcomes overdue" else 1.0
            sample[name] = grown * peak + level * random.uniform(-0.05, 0.05)
        samples.append(sample)
    return samples


def grown(samples: list[dict[str, float]]) -> list[str]:
    return [trend.gauge.name for trend in trends_of(GAUGES, samples) if trend.has_grown]


def test_noise_and_peaks_are_not_growth() -> None:
    assert grown(noisy({})) == []


@pytest.mark.parametrize(
    ("name", "per_minute"),
    [
        ("files", 2.5),  # a connection to SQLite per ended thread, a former leak
        ("memory", 9.0),
        ("threads", 5.0),
        ("connections", 4.0),
        ("write-ahead log", 8.0),
        ("open intents", 2.0),
        ("outcomes overdue", 0.5),
        ("events not in answers yet", 500.0),
    ],
)
def test_every_kind_of_leak_is_found_and_named(name: str, per_minute: float) -> None:
    samples = noisy({name: per_minute})
    assert grown(samples) == [name]
    rows = [line for line in table_of(trends_of(GAUGES, samples)) if line.endswith("GROWS |")]
    assert [row.split(" | ")[0] for row in rows] == [f"| {name}"]


def test_warm_up_and_plateau_are_not_growth() -> None:
    gauge = Gauge(name="x", slack=5, floor=40)
    assert not trend_of(gauge, [*range(20), *[20.0] * 80]).has_grown
    assert not trend_of(gauge, [*range(40), *[40.0] * 10]).has_grown
    assert trend_of(gauge, list(range(50))).has_grown


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        trend_of(Gauge(name="x", slack=0), [1.0] * 14)


def test_lost_duplicate_and_wrong_answers_are_found() -> None:
    load = Load("http://x", key="k", token="t", seed=1)
    served = [answered(number) for number in range(1, 5)]
    events = [relayed(number) for number in range(1, 5)]
    load.finished = {event.event_id: event.response_id for event in events}
    assert faults_of(events, served, load) == []

    assert faults_of(events[1:], served, load) == [
        "request evt-1 is not on record as resp-1",
        "resp-1 is on record 0 times",
    ]
    assert faults_of([*events, relayed(2, event_id="again")], served, load) == [
        "resp-2 is on record 2 times"
    ]
    (wrong,) = faults_of([relayed(1, output_tokens=9), *events[1:]], served, load)
    assert wrong.startswith("resp-1 is on record with TokenUsage(")


def test_missing_and_unexpected_events_are_found() -> None:
    load = Load("http://x", key="k", token="t", seed=1)
    load.acknowledged = {"a": 1, "b": 2}
    load.given_up = {"c"}
    sent = [make_event(event_id=name, input_tokens=at) for at, name in enumerate("abc", 1)]
    for kept, expected in (
        (sent, []),
        (sent[:2], []),
        (sent[1:], ["a was acknowledged and is not on record"]),
        ([*sent, make_event(event_id="d")], ["1 events are on record that nobody sent"]),
    ):
        account = Account()
        compare_sent(account, kept, load)
        assert account.faults == expected


def answered(number: int) -> Served:
    usage = {"prompt_tokens": number, "completion_tokens": 2}
    entry = Served(number, "/v1/chat/completions", {}, b"", {})
    entry.response_id, entry.usage = f"resp-{number}", usage
    return entry


def relayed(number: int, event_id: str = "", output_tokens: int = 2) -> UsageEvent:
    return make_event(
        event_id=event_id or f"evt-{number}",
        response_id=f"resp-{number}",
        input_tokens=number,
        output_tokens=output_tokens,
    )


def faults_of(events: list[UsageEvent], served: list[Served], load: Load) -> list[str]:
    account = Account()
    compare_relayed(account, events, served, load)
    return sorted(account.faults)

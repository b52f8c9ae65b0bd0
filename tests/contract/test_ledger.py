"""The ledger, on every engine: acknowledged means stored, an id counts once, order is kept."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.factories import NOW, make_event

from outlay.domain.answers import ZERO, Totals, sum_totals
from outlay.domain.dimension import Dimension
from outlay.domain.errors import Conflict, Damaged, Unavailable
from outlay.domain.event import CostSource, Status, UsageEvent, UsageSource
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.outcome import Outcome
from outlay.domain.query import QUALITY_MEASURES
from outlay.kit.clock import Clock, to_us
from outlay.storage.cube.aggregation import Deltas, aggregate
from outlay.storage.ledger import store as store_module
from outlay.storage.ledger.log import LogConditions, LogFilter, LogOrder, LogPosition, LogSort
from outlay.storage.ledger.rows import COLUMN, EVENT_FIELDS, FACTS, Intent, from_row
from outlay.storage.ledger.sqlite.store import SqliteLedger
from outlay.storage.ledger.store import Ledger, LedgerContents


def stored(ledger: Ledger) -> list[UsageEvent]:
    return [from_row(row) for batch in ledger.read_batches(0) for row in batch.rows]


def test_every_field_round_trips(ledger: Ledger) -> None:
    event = make_event(
        groups="grp_a,grp_b",
        end_user="ünï\u2028cødé",
        duration_us=0,
        time_to_first_token_us=None,
        reported_cost_pusd=2**62,
        cost_pusd=9 * 10**18,
        adjusted=1,
    )

    assert ledger.append([event]) == [Outcome.ACCEPTED]

    assert stored(ledger) == [event]
    assert set(EVENT_FIELDS) == set(UsageEvent.__dataclass_fields__)


def test_repeated_event_succeeds_and_adds_nothing(ledger: Ledger) -> None:
    event = make_event()

    assert ledger.append([event, event]) == [Outcome.ACCEPTED, Outcome.DUPLICATE]
    assert ledger.append([event]) == [Outcome.DUPLICATE]

    assert stored(ledger) == [event]


@pytest.mark.parametrize("field", FACTS)
def test_same_id_with_another_fact_is_a_recorded_conflict(ledger: Ledger, field: str) -> None:
    event = make_event(duration_us=5, time_to_first_token_us=5, reported_cost_pusd=5)
    value = getattr(event, field)
    changed: Any = value + 1 if isinstance(value, int) else f"{value}x"
    if isinstance(value, StrEnum):
        changed = next(member for member in type(value) if member is not value)
    other = replace(event, **{field: changed})
    ledger.append([event])

    outcomes = ledger.append([other, make_event()])

    assert outcomes == [Outcome.CONFLICT, Outcome.ACCEPTED]
    assert len(ledger.read_conflicts()) == 1
    assert stored(ledger)[0] == event


def test_price_change_does_not_make_a_repeated_event_a_conflict(ledger: Ledger) -> None:
    event = make_event(cost_pusd=1)
    ledger.append([event])

    assert ledger.append([replace(event, cost_pusd=2, groups="grp_new")]) == [Outcome.DUPLICATE]


def test_event_ids_are_separate_per_organization(
    ledger: Ledger,
) -> None:
    event, known = make_event(), make_event()
    ledger.append([known])

    # With a known id among them, the ledger checks each of them.
    for first in (make_event(), known):
        others = [
            replace(event, organization_id=OrganizationId(name), app=name)
            for name in ("org_b", "org_c")
        ]
        outcomes = ledger.append([first, *others])
        assert outcomes[1:] == [Outcome.ACCEPTED, Outcome.ACCEPTED]
        event = make_event()


def test_many_writers_share_commits_and_lose_nothing(ledger: Ledger) -> None:
    futures: list[Future[list[Outcome]]] = []

    def write(worker: int) -> None:
        futures.extend(
            ledger.submit([make_event(event_id=f"{worker}-{number}")]) for number in range(50)
        )

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(future.result(10) == [Outcome.ACCEPTED] for future in futures)
    batches = list(ledger.read_batches(0))
    assert sum(len(batch.rows) for batch in batches) == 400
    assert len(batches) < 400


def test_submitters_sharing_a_commit_get_their_own_outcomes(ledger: Ledger) -> None:
    first, known, free = make_event(), make_event(), make_event()
    other = replace(known, app="another")
    ledger.append([known])
    is_writing, go_on = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        is_writing.set()
        go_on.wait(20)

    ledger.on_commit(hold)
    ahead = ledger.submit([first])
    assert is_writing.wait(20)
    # These wait together and share the next commit.
    parts = [[make_event()], [known, free, other], [], [make_event(), known]]
    futures = [ledger.submit(part) for part in parts]
    go_on.set()

    accepted, duplicate, conflict = Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.CONFLICT
    assert ahead.result(20) == [accepted]
    assert [future.result(20) for future in futures] == [
        [accepted],
        [duplicate, accepted, conflict],
        [],
        [accepted, duplicate],
    ]


def test_acknowledged_events_exist_after_reopening(open_ledger: Callable[[], Ledger]) -> None:
    first = open_ledger()
    first.append([make_event(event_id="a")])
    identity = first.ledger_id
    first.close()

    second = open_ledger()
    second.append([make_event(event_id="b")])

    assert [event.event_id for event in stored(second)] == ["a", "b"]
    assert second.ledger_id == identity


def test_full_queue_refuses_before_anything_is_stored(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MAX_PENDING_EVENTS", 10)
    release = threading.Event()
    commit = ledger.commit
    monkeypatch.setattr(ledger, "commit", lambda *work: release.wait() and commit(*work))
    waiting = ledger.submit([make_event() for _ in range(10)])

    try:
        with pytest.raises(Unavailable) as caught:
            ledger.submit([make_event()])
    finally:
        release.set()  # closing the ledger waits for its writer
    assert caught.value.code == "overloaded"
    assert waiting.result(10) == [Outcome.ACCEPTED] * 10
    assert len(stored(ledger)) == 10


def test_outcomes_delete_intents(ledger: Ledger) -> None:
    intents = [
        Intent(OrganizationId("org_test"), EventId(f"e{number}"), bytes([number, 0, 255]))
        for number in range(3)
    ]
    ledger.submit([], intents=intents).result(10)
    assert ledger.intents() == intents

    ledger.submit([make_event(event_id="e1")], settled=[("org_test", "e1")]).result(10)

    assert ledger.intents() == [intents[0], intents[2]]


def test_events_are_found_by_time_id_and_organization(ledger: Ledger) -> None:
    times = [datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=31 * number) for number in range(60)]
    events = [
        make_event(event_time_us=to_us(time), organization_id=f"org_{number % 3}")
        for number, time in enumerate(times)
    ]
    Random(3).shuffle(events)
    assert set(ledger.append(events)) == {Outcome.ACCEPTED}

    assert stored(ledger) == events
    assert sorted(ledger.organizations()) == ["org_0", "org_1", "org_2"]
    for organization in ledger.organizations():
        mine = [event for event in events if event.organization_id == organization]
        ends = [event.event_time_us for event in mine]
        assert ledger.event_time_range(OrganizationId(organization)) == (min(ends), max(ends))
        window = (to_us(times[10]), to_us(times[40]))
        within = ledger.read_window(OrganizationId(organization), *window, ledger.last_seq)
        assert {row[3] for row in within} == {
            event.event_id for event in mine if window[0] <= event.event_time_us < window[1]
        }
        (found,) = ledger.read_history(OrganizationId(organization), mine[0].event_id)
        assert found.event == mine[0]
        assert ledger.read_history(OrganizationId("org_other"), mine[0].event_id) == []
    assert ledger.event_time_range(OrganizationId("org_other")) is None
    assert ledger.count_requests(30) == 30


def log_events() -> list[UsageEvent]:
    """Events with few different times and values, some of them unknown."""
    random = Random(5)
    return [
        make_event(
            organization_id=random.choice(["org_test", "org_test", "org_b"]),
            event_time_us=to_us(NOW) - random.randrange(20) * 1_000_000,
            model=random.choice(["a", "b%", "c_?"]),
            groups=random.choice(["", "g1", "g1,g2", "g2,g11"]),
            duration_us=random.choice([None, 0, 5, 500]),
            cost_pusd=random.choice([0, 5, 2**62, 2**62 + 1]),
            cost_source=random.choice([CostSource.COMPUTED, CostSource.UNPRICED]),
            usage_source=random.choice([*UsageSource]),
            input_tokens=random.choice([0, 2**40]),
            output_tokens=random.randrange(3),
            adjusted=random.randrange(2),
            status=random.choice([*Status]),
            error_code=random.choice(["", "upstream-429", "x'"]),
            reported_cost_pusd=random.choice([None, 0, 7]),
            computed_cost_pusd=random.choice([None, 3, 12]),
            unpriced_parts=random.choice(["", "", "web_searches"]),
        )
        for _ in range(400)
    ]


WANTED = LogFilter(
    organization_id=OrganizationId("org_test"),
    start_us=to_us(NOW) - 15_000_000,
    end_us=to_us(NOW) - 1_000_000,
    through_seq=380,
)
NARROWED = replace(
    WANTED,
    values={Dimension.GROUP: ["g1"], Dimension.MODEL: ["b%", "c_?"]},
    conditions=LogConditions(
        min_duration_us=5, min_cost_pusd=5, error_codes=("upstream-429", "x'"), id_part="evt-"
    ),
)


def matching(events: list[UsageEvent], wanted: LogFilter) -> dict[int, UsageEvent]:
    """The matching events, by sequence number."""
    asked = wanted.conditions
    return {
        seq: event
        for seq, event in enumerate(events, 1)
        if event.organization_id == wanted.organization_id
        and wanted.start_us <= event.event_time_us < wanted.end_us
        and seq <= wanted.through_seq
        and (not wanted.values or "g1" in event.groups.split(","))
        and (not wanted.values or event.model in {"b%", "c_?"})
        and (asked.min_duration_us is None or (event.duration_us or 0) >= asked.min_duration_us)
        and (asked.min_cost_pusd is None or event.cost_pusd >= asked.min_cost_pusd)
        and (not asked.error_codes or event.error_code in asked.error_codes)
        and asked.id_part in event.event_id
    }


VALUES: dict[LogSort, Callable[[UsageEvent], int | None]] = {
    LogSort.TIME: lambda event: event.event_time_us,
    LogSort.COST: lambda event: (
        None if event.cost_source is CostSource.UNPRICED else event.cost_pusd
    ),
    LogSort.LATENCY: lambda event: event.duration_us,
    LogSort.TOKENS: lambda event: (
        None
        if event.usage_source is UsageSource.UNKNOWN
        else event.input_tokens + event.output_tokens
    ),
    LogSort.DIFFERENCE: lambda event: (
        None
        if event.reported_cost_pusd is None
        or event.computed_cost_pusd is None
        or event.unpriced_parts
        else abs(event.reported_cost_pusd - event.computed_cost_pusd)
    ),
}


@pytest.mark.parametrize("wanted", [WANTED, NARROWED], ids=["plain", "narrowed"])
@pytest.mark.parametrize("is_descending", [True, False])
@pytest.mark.parametrize("sort", LogSort)
def test_log_is_filtered_and_paged_in_any_order(
    ledger: Ledger, sort: LogSort, is_descending: bool, wanted: LogFilter
) -> None:
    events = log_events()
    ledger.append(events)
    sign = -1 if is_descending else 1

    def place(seq: int) -> tuple[bool, int, int, int]:
        value = VALUES[sort](events[seq - 1])
        time_us = events[seq - 1].event_time_us
        return value is None, sign * (value or 0), sign * time_us, sign * seq

    expected = sorted(matching(events, wanted), key=place)
    order = LogOrder(sort, is_descending)
    pages: list[LogPosition] = []
    while len(pages) < len(events):
        page = ledger.read_positions(wanted, order, pages[-1] if pages else None, 7)
        pages += page
        if not page:
            break
    back = ledger.read_positions(wanted, order.reversed, pages[10], 400)
    entries = ledger.read_logged(OrganizationId("org_test"), pages)

    assert len(expected) > 10
    assert [position.seq for position in pages] == expected
    assert [position.seq for position in back] == expected[9::-1]
    assert [entry.event for entry in entries] == [events[seq - 1] for seq in expected]


@pytest.mark.parametrize("wanted", [WANTED, NARROWED], ids=["plain", "narrowed"])
def test_sums_of_the_log_are_exact(ledger: Ledger, wanted: LogFilter) -> None:
    events = log_events()
    ledger.append(events)
    rows = {row[0]: row for batch in ledger.read_batches(0) for row in batch.rows}
    summed = aggregate([rows[seq] for seq in matching(events, wanted)], Deltas()).usage.values()
    whole = sum_totals([Totals(*measures) for measures in summed])

    found = ledger.read_sums(wanted)

    assert whole.cost_pusd > 2**64
    assert {name: getattr(found, name) for name in QUALITY_MEASURES} == {
        name: getattr(whole, name) for name in QUALITY_MEASURES
    }
    assert ledger.read_sums(replace(wanted, through_seq=0)) == ZERO


def test_erased_identity_leaves_batches_valid(ledger: Ledger) -> None:
    events = [make_event(end_user=name) for name in ("Ada", "bob", "ADA", "")]
    ledger.append(events)
    ledger.append([replace(events[0], app="other"), make_event(user_id="ada")])
    edition = ledger.edition

    assert ledger.forget(OrganizationId("org_test"), "ada", "gone_1") == 3

    assert [event.end_user for event in stored(ledger)] == ["gone_1", "bob", "gone_1", "", ""]
    assert stored(ledger)[4].user_id == "gone_1"
    assert ledger.edition != edition
    assert ledger.append([make_event()]) == [Outcome.ACCEPTED]
    assert ledger.forget_end_users(OrganizationId("org_test"), to_us(NOW)) == 3
    assert {event.end_user for event in stored(ledger)} == {""}
    assert len(ledger.read_conflicts()) == 1


def test_ledger_is_copied_only_if_the_chain_is_valid(
    ledger: Ledger, tmp_path: Path, clock: Clock
) -> None:
    source = SqliteLedger(tmp_path / "source.sqlite3", clock)
    for _ in range(3):
        source.append([make_event(cost_pusd=7) for _ in range(4)])
    batches = list(source.read_stored(0))
    source.close()
    column = COLUMN["cost_pusd"]
    first, second, third = batches
    row = second.rows[0]
    changed = second._replace(
        rows=[(*row[:column], row[column] + 1, *row[column + 1 :]), *second.rows[1:]]
    )
    for wrong in ([first, changed, third], [first, third], [second, third], [second, first, third]):
        with pytest.raises(Damaged):
            ledger.adopt(LedgerContents(intents=[], conflicts=[], batches=wrong))
        assert stored(ledger) == []

    ledger.adopt(LedgerContents(intents=[], conflicts=[], batches=batches))
    assert list(ledger.read_stored(0)) == batches
    with pytest.raises(Conflict):
        ledger.adopt(LedgerContents(intents=[], conflicts=[], batches=batches))


def test_mentions_are_counted_by_column(ledger: Ledger) -> None:
    ledger.append(
        [
            make_event(organization_id="org_1", app="of Ada_L", end_user="x ada_l y"),
            make_event(organization_id="org_1", event_id="ADA_L-7", app="adaxl"),
            make_event(organization_id="org_2", app="Ada_L"),
        ]
    )
    assert ledger.count_mentions(OrganizationId("org_1"), ["aDa_l", "nobody"]) == {
        "usage_event.event_id": 1,
        "usage_event.end_user": 1,
        "usage_event.app": 1,
    }
    assert ledger.count_mentions(OrganizationId("org_1"), ["nobody"]) == {}

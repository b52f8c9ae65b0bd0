"""The ledger on PostgreSQL: many nodes in one order, row-level security, a lost server."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pysqlite3 as sqlite_driver
import pytest
from tests.backdoor import buffer_of, fail_writes
from tests.clocks import FixedClock
from tests.factories import NOW, make_event
from tests.postgres import Cluster, running_postgres

from outlay.domain.errors import Damaged, Unavailable
from outlay.domain.event import UsageEvent
from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.money import PUSD_PER_USD, Pusd
from outlay.domain.outcome import Outcome
from outlay.domain.spend_limit import (
    CounterKey,
    Hold,
    LimitInterval,
    LimitScope,
    SpendLimit,
)
from outlay.kit.clock import in_us, to_us
from outlay.storage.ledger import queries
from outlay.storage.ledger.postgres.opening import HEAD
from outlay.storage.ledger.postgres.store import PostgresLedger
from outlay.storage.ledger.postgres.write_ahead_buffer import WriteAheadBuffer
from outlay.storage.ledger.rows import Intent, from_row
from outlay.storage.postgres import PostgresDatabase, marked

DAY_US = in_us(timedelta(days=1))

Open = Callable[[str], PostgresLedger]


@pytest.fixture
def url(cluster: Cluster) -> str:
    return cluster.create_database()


class Node:
    """A ledger with its own pool and write-ahead buffer."""

    def __init__(self, url: str, journal: Path, name: str, capacity: int = 1_000) -> None:
        self.database = PostgresDatabase(url)
        self.ledger = PostgresLedger(
            self.database, FixedClock(NOW), node_id=name, buffer=WriteAheadBuffer(journal, capacity)
        )

    def close(self) -> None:
        self.ledger.close()
        self.database.close()


@pytest.fixture
def open_node(url: str, tmp_path: Path) -> Iterator[Open]:
    """Opens nodes of one installation."""
    opened: list[Node] = []

    def open_one(node_id: str) -> PostgresLedger:
        node = Node(url, tmp_path / f"{node_id}.sqlite3", node_id)
        opened.append(node)
        return node.ledger

    yield open_one
    for node in opened:
        node.close()


def ids(ledger: PostgresLedger) -> list[str]:
    return [from_row(row).event_id for batch in ledger.read_batches(0) for row in batch.rows]


def test_follower_misses_nothing_with_many_writers(open_node: Open) -> None:
    """A reader that only reads after its position sees every event once, in one chain."""
    nodes = [open_node(f"node{number}") for number in range(4)]
    follower = open_node("reader")
    seen: list[str] = []
    done = threading.Event()

    def write(node: PostgresLedger, name: int) -> None:
        for number in range(120):
            events = [make_event(event_id=f"{name}-{number}-{part}") for part in range(3)]
            node.append(events)

    def follow() -> None:
        position = 0
        while not done.is_set() or position < follower.newest_seq():
            for batch in follower.read_batches(position):
                assert batch.first_seq == position + 1
                seen.extend(from_row(row).event_id for row in batch.rows)
                position = batch.last_seq

    threads = [threading.Thread(target=write, args=(node, name)) for name, node in enumerate(nodes)]
    reader = threading.Thread(target=follow)
    reader.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    reader.join()

    assert len(seen) == 4 * 120 * 3
    assert len(set(seen)) == len(seen)
    assert seen == ids(nodes[0])


def test_event_id_counts_once_across_nodes(open_node: Open) -> None:
    nodes = [open_node(f"node{number}") for number in range(3)]
    events = [make_event(event_id=f"same-{number}") for number in range(300)]
    outcomes: list[Outcome] = []

    def write(node: PostgresLedger) -> None:
        for start in range(0, 300, 10):
            outcomes.extend(node.append(events[start : start + 10]))

    threads = [threading.Thread(target=write, args=(node,)) for node in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes.count(Outcome.ACCEPTED) == 300
    assert outcomes.count(Outcome.DUPLICATE) == 600
    assert sorted(ids(nodes[0])) == sorted(event.event_id for event in events)


def test_node_is_notified_of_other_commits(open_node: Open) -> None:
    writer, other = open_node("a"), open_node("b")
    writer.append([make_event()])

    assert other.wait_for_commit(0, timeout=5.0)
    assert other.last_seq == 1
    assert other.newest_seq() == 1


def test_person_erased_by_one_node_is_not_cached_by_another(open_node: Open) -> None:
    """A cube that is rebuilt there is built from the rewritten rows."""
    first, second = open_node("a"), open_node("b")
    second.append([make_event(end_user="ada")])
    assert second.recent_batches(0)

    edition = second.edition
    first.forget(OrganizationId("org_test"), "ada", "gone_1")
    second.newest_seq()

    assert second.edition != edition
    rows = [row for batch in second.recent_batches(0) for row in batch.rows]
    rows += [row for batch in second.read_batches(0) for row in batch.rows]
    assert [from_row(row).end_user for row in rows] == ["gone_1"]


def test_node_settles_only_its_own_intents(open_node: Open) -> None:
    first, second = open_node("a"), open_node("b")
    mine, theirs = (
        Intent(OrganizationId("org_a"), EventId("e1"), b"1"),
        Intent(OrganizationId("org_a"), EventId("e2"), b"2"),
    )
    first.submit([], intents=[mine]).result(5)
    second.submit([], intents=[theirs]).result(5)

    assert first.intents() == [mine]
    assert open_node("b").intents() == [theirs]


def test_intents_of_a_gone_node_are_orphans(open_node: Open, url: str) -> None:
    first, second = open_node("a"), open_node("b")
    intent = Intent(OrganizationId("org_a"), EventId("e1"), b"1")
    first.submit([], intents=[intent]).result(5)
    second.submit([], intents=[Intent(OrganizationId("org_a"), EventId("e2"), b"2")]).result(5)
    assert second.orphans() == []

    with psycopg.connect(url) as connection:
        connection.execute(
            "UPDATE node SET seen_at = now() - interval '3 hours' WHERE node_id = 'a'"
        )

    assert second.orphans() == [intent]


def test_row_level_security_hides_other_organizations(open_node: Open, url: str) -> None:
    """Not even with a statement that lacks the condition on the organization."""
    ledger = open_node("a")
    ledger.append([make_event(organization_id=name) for name in ("org_a", "org_b", "org_b")])
    ledger.submit([], intents=[Intent(OrganizationId("org_b"), EventId("e"), b"")]).result(5)
    database = PostgresDatabase(url)

    def count(tenant: str, table: str) -> int:
        with database.reading(tenant) as connection:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])

    for table, expected in (
        ("usage_event", {"org_a": 1, "org_b": 2, "*": 3, "": 0, "org_c": 0}),
        ("usage_event_key", {"org_a": 1, "org_b": 2, "*": 3, "": 0, "org_c": 0}),
        ("request_intent", {"org_a": 0, "org_b": 1, "*": 1, "": 0, "org_c": 0}),
    ):
        assert {tenant: count(tenant, table) for tenant in expected} == expected
    with database.reading("org_a") as connection:
        connection.execute("UPDATE usage_event SET cost_pusd = 0")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("INSERT INTO request_intent VALUES ('org_b', 'x', '', 'n')")
    database.close()


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE usage_event SET cost_pusd = cost_pusd + 1 WHERE seq = 3",
        "DELETE FROM usage_event WHERE seq = 2",
        "DELETE FROM usage_batch WHERE batch_id = 1",
        "UPDATE usage_batch SET checksum = decode(repeat('00', 16), 'hex') WHERE batch_id = 2",
    ],
)
def test_tampering_is_detected_and_never_summed(
    open_node: Open, cluster: Cluster, url: str, tampering: str
) -> None:
    ledger = open_node("a")
    ledger.append([make_event(cost_pusd=7) for _ in range(4)])
    ledger.append([make_event(cost_pusd=7) for _ in range(4)])
    with psycopg.connect(url.replace("outlay@", "admin@")) as connection:
        connection.execute(tampering)

    with pytest.raises(Damaged):
        list(ledger.read_batches(0))


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """A server that a test may stop; it flushes to disk."""
    with running_postgres("") as running:
        yield running


def test_crash_of_the_database_loses_nothing(own_cluster: Cluster, tmp_path: Path) -> None:
    """Events during the outage wait in the local write-ahead buffer and are not lost."""
    node = Node(own_cluster.create_database(), tmp_path / "journal.sqlite3", "a", 10**6)
    back = threading.Event()
    most_waiting = 0

    def restart() -> None:
        time.sleep(0.3)
        own_cluster.stop("immediate")
        time.sleep(0.5)
        own_cluster.start()
        back.set()

    thread = threading.Thread(target=restart)
    thread.start()
    number = after = 0
    while after < 50:
        number += 1
        event = make_event(event_id=f"e{number:06d}")
        intent = Intent(event.organization_id, event.event_id, b"")
        node.ledger.submit([], intents=[intent]).result(10)
        done = node.ledger.submit([event], settled=[intent[:2]])
        assert done.result(10) == [Outcome.ACCEPTED]
        most_waiting = max(most_waiting, node.ledger.buffered)
        after += back.is_set()
    thread.join()
    wait_until(lambda: node.ledger.buffered == 0)
    stored, intents = ids(node.ledger), node.ledger.intents()
    node.close()

    assert most_waiting > 0
    assert stored == [f"e{each:06d}" for each in range(1, number + 1)]
    assert intents == []


def test_full_buffer_refuses_and_keeps_its_content(own_cluster: Cluster, tmp_path: Path) -> None:
    journal = tmp_path / "journal.sqlite3"
    url = own_cluster.create_database()
    node = Node(url, journal, "a", 10)
    limit = limit_of(10)
    limited = Intent(OrganizationId("org_test"), EventId("limited"), b"", (hold_of(limit, 1),))
    node.ledger.spending.start(limited.holds[0].counter, 0, 0)
    first = make_event(event_id="first")
    node.ledger.append([first])
    own_cluster.stop("immediate")

    assert node.ledger.append([first, make_event(event_id="second")]) == [Outcome.ACCEPTED] * 2
    assert open_intents(node.ledger, limited).keys() == {"limited"}
    node.ledger.append([make_event() for _ in range(8)])
    with pytest.raises(Unavailable, match="write-ahead buffer is full"):
        node.ledger.append([make_event(event_id="too many")])
    node.ledger.submit([make_event(event_id="answered")], settled=[("org_test", "x")]).result(5)
    node.close()  # as if it had ended: another takes its place when the server is back
    own_cluster.start()
    successor = Node(url, journal, "a", 10)
    stored = ids(successor.ledger)
    assert successor.ledger.buffered == 0
    successor.close()

    assert len(stored) == len(set(stored)) == 11
    assert {"first", "second", "answered"} < set(stored)
    assert "too many" not in stored


def test_failing_disk_refuses_while_the_database_is_unreachable(
    own_cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outcomes of answered requests are refused, too: their senders keep them."""
    node = Node(own_cluster.create_database(), tmp_path / "journal.sqlite3", "a")
    own_cluster.stop("immediate")
    full = sqlite_driver.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        fail_writes(patch, buffer_of(node.ledger), full)
        with pytest.raises(Unavailable, match="write-ahead buffer is not writable"):
            node.ledger.submit([make_event()], settled=[("org_test", "x")]).result(10)
    assert node.ledger.append([make_event()]) == [Outcome.ACCEPTED]
    node.close()
    own_cluster.start()


def test_long_buffer_is_drained_in_few_transactions(own_cluster: Cluster, tmp_path: Path) -> None:
    url, journal = own_cluster.create_database(), tmp_path / "journal.sqlite3"
    Node(url, journal, "a").close()
    spool = WriteAheadBuffer(journal, 10**6)
    for number in range(300):
        event = make_event(event_id=f"e{number:04d}")
        intent = Intent(OrganizationId("org_test"), event.event_id, b"")
        spool.append([], [intent], [])
        spool.append([event], [], [intent[:2]])
    spool.append([], [Intent(OrganizationId("org_test"), EventId("open"), b"1")], [])
    spool.close()

    node = Node(url, journal, "a")

    batches = list(node.ledger.read_batches(0))
    assert len(batches) == 1
    assert ids(node.ledger) == [f"e{number:04d}" for number in range(300)]
    assert [intent.event_id for intent in node.ledger.intents()] == ["open"]
    assert node.ledger.buffered == 0
    node.close()


def test_missing_counter_refuses_only_its_request(open_node: Open, url: str) -> None:
    ledger = open_node("a")
    hold = hold_of(limit_of(10), 1)
    outcome = make_event()

    refused: dict[str, str] = {}
    done = ledger.submit(
        [outcome],
        intents=[
            Intent(OrganizationId("org_test"), EventId("limited"), b"", (hold,)),
            Intent(OrganizationId("org_test"), EventId("free"), b""),
        ],
        refused=lambda intent, why: refused.update({intent.event_id: why.code}),
    )

    assert done.result(5) == [Outcome.ACCEPTED]
    assert refused == {"limited": "spending-unknown"}
    assert [intent.event_id for intent in ledger.intents()] == ["free"]


def test_following_costs_the_same_for_any_chain_length(open_node: Open, url: str) -> None:
    """The end of the chain and the batches after a position are found by index, not by a search."""
    open_node("a")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO usage_batch SELECT n, n * 3 - 2, n * 3, 0, '' "
            "FROM generate_series(1, 200000) AS n"
        )
        connection.execute("ANALYZE usage_batch")
        for statement, values in (
            (HEAD, ()),
            (queries.LAST_BATCH, ()),
            (queries.BATCHES_AFTER, (599_000, 5_000)),
        ):
            plan = connection.execute(
                "EXPLAIN (ANALYZE, FORMAT JSON) " + marked(statement), values
            ).fetchone()
            assert plan is not None
            assert "Seq Scan on usage_batch" not in str(plan)
            assert "'Relation Name': 'usage_batch'" in str(plan)
            scanned = re.findall(r"'Rows Removed by Filter': (\d+)", str(plan))
            assert sum(map(int, scanned)) < 1_000, plan


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_unreachable_database_is_reported(tmp_path: Path) -> None:
    url = f"postgresql://outlay:secret@/outlay?host={tmp_path}"

    with pytest.raises(Unavailable, match="is unreachable") as caught:
        Node(url, tmp_path / "journal.sqlite3", "a")

    assert "secret" not in str(caught.value)


def limit_of(usd: int, scope: LimitScope = LimitScope.API_KEY) -> SpendLimit:
    return SpendLimit(
        organization_id=OrganizationId("org_test"),
        scope=scope,
        scope_id="key_1" if scope is LimitScope.API_KEY else "prj_1",
        interval=LimitInterval.DAY,
        amount_pusd=Pusd(usd * PUSD_PER_USD),
    )


def hold_of(limit: SpendLimit, usd: int) -> Hold:
    start_us = to_us(NOW) - to_us(NOW) % DAY_US
    key = CounterKey(
        OrganizationId("org_test"), limit.scope, limit.scope_id, start_us, start_us + DAY_US
    )
    return Hold(key, limit, usd * PUSD_PER_USD)


def spend(usd: int, **changes: object) -> UsageEvent:
    values = {"api_key_id": "key_1", "project_id": "prj_1", "cost_pusd": usd * PUSD_PER_USD}
    return make_event(**{**values, **changes})


def open_intents(ledger: PostgresLedger, *intents: Intent) -> dict[str, str]:
    """The refused intents, with the reasons."""
    refused: dict[str, str] = {}
    ledger.submit(
        [],
        intents=intents,
        refused=lambda intent, why: refused.update({intent.event_id: why.message}),
    ).result(5)
    return refused


def test_limit_counts_spend_and_reservations_of_all_nodes(open_node: Open) -> None:
    first, second = open_node("a"), open_node("b")
    limit = limit_of(10)
    first.append(
        [spend(3), spend(100, api_key_id="other"), spend(50, event_time_us=to_us(NOW) - DAY_US)]
    )
    hold = hold_of(limit, 4)
    first.spending.start(hold.counter, 0, 0)
    second.spending.start(hold.counter, 0, 0)

    assert not open_intents(first, Intent(OrganizationId("org_test"), EventId("i1"), b"", (hold,)))
    (why,) = open_intents(
        second, Intent(OrganizationId("org_test"), EventId("i2"), b"", (hold,))
    ).values()
    assert "$3 of the API key's $10 per day is left" in why
    assert "$3 is spent and $4 is reserved" in why
    # The outcome costs less than was held: the rest is free again, for every node.
    first.submit([spend(1, event_id="i1")], settled=[("org_test", "i1")]).result(5)
    assert not open_intents(second, Intent(OrganizationId("org_test"), EventId("i3"), b"", (hold,)))
    assert open_intents(
        first, Intent(OrganizationId("org_test"), EventId("i4"), b"", (hold,))
    ).keys() == {"i4"}
    assert [intent.event_id for intent in (*first.intents(), *second.intents())] == ["i3"]


def test_request_is_reserved_against_all_its_limits_or_none(open_node: Open) -> None:
    ledger = open_node("a")
    wide, narrow = limit_of(100), limit_of(5, LimitScope.PROJECT)
    holds = (hold_of(wide, 3), hold_of(narrow, 3))
    for hold in holds:
        ledger.spending.start(hold.counter, 0, 0)
    intents = [
        Intent(OrganizationId("org_test"), EventId(f"i{number}"), b"", holds) for number in range(3)
    ]

    refused = open_intents(ledger, *intents)

    assert refused.keys() == {"i1", "i2"}
    assert all("of the project's $5 per" in why for why in refused.values())
    assert not open_intents(
        ledger, Intent(OrganizationId("org_test"), EventId("i9"), b"", (hold_of(wide, 97),))
    )


def test_concurrent_nodes_do_not_exceed_a_limit(open_node: Open) -> None:
    nodes = [open_node(f"n{number}") for number in range(4)]
    limit = limit_of(40)
    hold = hold_of(limit, 1)
    nodes[0].append([spend(2)])
    for node in nodes:
        node.spending.start(hold.counter, 0, 0)
    passed: list[int] = []

    def work(node: PostgresLedger, name: int) -> None:
        for number in range(40):
            intent = Intent(OrganizationId("org_test"), EventId(f"{name}-{number}"), b"", (hold,))
            if not open_intents(node, intent):
                passed.append(1)
                outcome = spend(1, event_id=intent.event_id)
                node.submit([outcome], settled=[("org_test", intent.event_id)]).result(5)

    threads = [threading.Thread(target=work, args=one) for one in zip(nodes, range(4), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(passed) == 38

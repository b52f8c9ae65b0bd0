"""Spend counters in PostgreSQL: what fits, what counts, and its cost."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from tests.clocks import FixedClock
from tests.factories import NOW, make_event
from tests.postgres import ADMIN, USER, Cluster

from outlay.domain.ids import EventId, OrganizationId
from outlay.domain.money import Pusd
from outlay.domain.spend_limit import (
    CounterKey,
    Hold,
    LimitInterval,
    LimitScope,
    SpendLimit,
)
from outlay.kit.clock import in_us, to_us
from outlay.storage.ledger.postgres.spending import FIND_COUNTERS
from outlay.storage.ledger.postgres.store import PostgresLedger
from outlay.storage.ledger.postgres.write_ahead_buffer import WriteAheadBuffer
from outlay.storage.ledger.rows import Intent
from outlay.storage.postgres import PostgresDatabase, marked

DAY_US = in_us(timedelta(days=1))
START_US = to_us(NOW) - DAY_US // 2


@pytest.fixture
def url(cluster: Cluster) -> str:
    return cluster.create_database()


@pytest.fixture
def ledger(url: str, tmp_path: Path) -> Iterator[PostgresLedger]:
    database = PostgresDatabase(url)
    spool = WriteAheadBuffer(tmp_path / "journal.sqlite3", 1_000)
    ledger = PostgresLedger(database, FixedClock(NOW), node_id="a", buffer=spool)
    yield ledger
    ledger.close()
    database.close()


def key_of(scope: LimitScope = LimitScope.API_KEY, scope_id: str = "key_1") -> CounterKey:
    return CounterKey(OrganizationId("org_test"), scope, scope_id, START_US, START_US + DAY_US)


def refusal(ledger: PostgresLedger, name: str, amount: int, limit: int, key: CounterKey) -> str:
    """The error for a request that may cost an amount; empty if it is admitted."""
    wanted = SpendLimit(
        organization_id=key.organization_id,
        scope=key.scope,
        scope_id=key.scope_id,
        interval=LimitInterval.DAY,
        amount_pusd=Pusd(limit),
    )
    messages: list[str] = []
    ledger.submit(
        [],
        intents=[
            Intent(OrganizationId("org_test"), EventId(name), b"", (Hold(key, wanted, amount),))
        ],
        refused=lambda _, why: messages.append(why.message),
    ).result(5)
    return "".join(messages)


def spend(ledger: PostgresLedger, cost: int, **changes: object) -> None:
    values = {"api_key_id": "key_1", "project_id": "prj_1", "member_id": "mem_1"}
    ledger.append([make_event(**{**values, "cost_pusd": cost, **changes})])


def spent(url: str, key: CounterKey) -> int:
    with psycopg.connect(url) as connection:
        connection.execute("SELECT set_config('outlay.organization', 'org_test', false)")
        found = connection.execute(
            "SELECT spent_pusd FROM spend_counter WHERE scope = %s AND scope_id = %s",
            (key.scope.value, key.scope_id),
        ).fetchone()
    assert found is not None
    return int(found[0])


def test_request_that_fits_exactly_is_admitted(ledger: PostgresLedger) -> None:
    key = key_of()
    ledger.spending.start(key, 0, 30)
    spend(ledger, 20)
    assert refusal(ledger, "i1", 51, 100, key)
    assert not refusal(ledger, "i2", 50, 100, key)
    assert refusal(ledger, "i3", 1, 100, key)


def test_commits_around_the_first_sum_count_once(ledger: PostgresLedger, url: str) -> None:
    """The sum was computed at position 2, and a third event was committed before the counter."""
    key = key_of()
    spend(ledger, 1)
    spend(ledger, 10)
    spend(ledger, 100)
    ledger.spending.start(key, 2, 11)
    ledger.spending.start(key, 3, 111)  # by another node, a moment later
    spend(ledger, 1_000)
    assert spent(url, key) == 1_111


def test_only_events_of_the_owner_and_interval_count(ledger: PostgresLedger, url: str) -> None:
    keys = [
        key_of(),
        key_of(LimitScope.PROJECT, "prj_1"),
        key_of(LimitScope.MEMBER, "mem_1"),
        key_of(LimitScope.MEMBER, "key_1"),
    ]
    for key in keys:
        ledger.spending.start(key, 0, 0)
    spend(ledger, 1)
    spend(ledger, 10, api_key_id="key_2")
    spend(ledger, 100, project_id="", member_id="")
    spend(ledger, 1_000, organization_id="org_other")
    spend(ledger, 10_000, event_time_us=START_US - 1)
    spend(ledger, 100_000, event_time_us=START_US + DAY_US)
    spend(ledger, 1_000_000, event_time_us=START_US)
    ledger.append([make_event(cost_pusd=10**7)])  # belongs to nobody
    assert [spent(url, key) for key in keys] == [1_000_101, 1_000_011, 1_000_011, 0]


def test_commit_updates_only_its_own_counters(ledger: PostgresLedger, url: str) -> None:
    ledger.spending.start(key_of(), 0, 0)
    administrator = url.replace(USER, ADMIN, 1)
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO spend_counter (organization_id, scope, scope_id, start_us, end_us, "
            "spent_pusd) SELECT 'org_test', 'apiKey', 'other_' || n, 0, 1, 0 "
            "FROM generate_series(1, 20000) AS n"
        )
        connection.execute("ANALYZE spend_counter")
        plan = connection.execute(
            "EXPLAIN (ANALYZE, FORMAT JSON) " + marked(FIND_COUNTERS),
            (["org_test"] * 3, ["apiKey", "project", "member"], ["key_1", "prj_1", "mem_1"]),
        ).fetchone()
    assert "Seq Scan on spend_counter" not in str(plan)
    assert sum(map(int, re.findall(r"'Rows Removed by Filter': (\d+)", str(plan)))) < 10, plan
    assert "'Actual Rows': 20" not in str(plan), plan

"""Tables of older ledgers: upgraded in one transaction, by one process, or refused."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pysqlite3
import pytest
from tests.clocks import FixedClock
from tests.factories import NOW, make_event
from tests.postgres import Cluster

from outlay.domain.errors import Damaged
from outlay.storage.ledger.connection import Connection
from outlay.storage.ledger.postgres.opening import SCHEMA as POSTGRES_SCHEMA
from outlay.storage.ledger.postgres.store import PostgresLedger
from outlay.storage.ledger.postgres.write_ahead_buffer import WriteAheadBuffer
from outlay.storage.ledger.rows import from_row
from outlay.storage.ledger.schema import Schema, announce
from outlay.storage.ledger.sqlite.store import SCHEMA as SQLITE_SCHEMA
from outlay.storage.ledger.sqlite.store import SqliteLedger
from outlay.storage.ledger.store import Ledger
from outlay.storage.postgres import PostgresDatabase

DATA = Path(__file__).parent.parent / "data"


def add_column(connection: Connection) -> None:
    """A made-up step."""
    connection.execute("ALTER TABLE usage_event ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm'")
    connection.execute("UPDATE usage_event SET mood = 'happy'")


def with_one_more_step(schema: Schema, step: Callable[[Connection], None]) -> Schema:
    return Schema(first=schema.first, steps=(*schema.steps, step))


class NextSqlite(SqliteLedger):
    """The ledger of a future version."""

    schema: ClassVar[Schema] = with_one_more_step(SQLITE_SCHEMA, add_column)


class NextPostgres(PostgresLedger):
    """The ledger of a future version."""

    schema: ClassVar[Schema] = with_one_more_step(POSTGRES_SCHEMA, add_column)


class OnSqlite:
    """One file, and ways to open it."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.place = str(folder / "ledger.sqlite3")

    def load(self, text: str) -> None:
        with pysqlite3.connect(self.place) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(text)
        connection.close()

    def ask(self, text: str) -> list[Any]:
        with pysqlite3.connect(self.place) as connection:
            found: list[Any] = connection.execute(text).fetchall()
        connection.close()
        return found

    def open(self, **options: Any) -> SqliteLedger:
        return SqliteLedger(Path(self.place), FixedClock(NOW), **options)

    def open_next(self, **options: Any) -> SqliteLedger:
        return NextSqlite(Path(self.place), FixedClock(NOW), **options)

    def tables(self) -> list[Any]:
        names = [name for (name,) in self.ask("SELECT name FROM sqlite_schema WHERE type='table'")]
        columns = [
            (name, *column[1:])
            for name in names
            for column in self.ask(f"SELECT * FROM pragma_table_info('{name}')")
        ]
        indexes = self.ask("SELECT name, tbl_name FROM sqlite_schema WHERE type = 'index'")
        return sorted(map(repr, (*columns, *indexes)))


class OnPostgres:
    """One database, and ways to open it."""

    name = "postgres"

    def __init__(self, url: str, folder: Path, stack: ExitStack) -> None:
        self.place, self._folder, self._stack = url, folder, stack

    def load(self, text: str) -> None:
        with psycopg.connect(self.place, autocommit=True) as connection:
            connection.execute(text)

    def ask(self, text: str) -> list[Any]:
        with psycopg.connect(self.place) as connection:
            connection.execute("SELECT set_config('outlay.organization', '*', true)")
            return connection.execute(text).fetchall()

    def open(self, *, node: str = "node", **options: Any) -> PostgresLedger:
        return self._open(PostgresLedger, node, options)

    def open_next(self, *, node: str = "node", **options: Any) -> PostgresLedger:
        return self._open(NextPostgres, node, options)

    def _open(
        self, kind: type[PostgresLedger], node: str, options: dict[str, Any]
    ) -> PostgresLedger:
        database = PostgresDatabase(self.place)
        self._stack.callback(database.close)
        spool = WriteAheadBuffer(self._folder / f"{node}.sqlite3", 1_000)
        return kind(database, FixedClock(NOW), node_id=node, buffer=spool, **options)

    def tables(self) -> list[Any]:
        questions = (
            "SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity "
            "FROM information_schema.columns WHERE table_schema = 'public'",
            "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
            "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE connamespace = 'public'::regnamespace",
            "SELECT tablename, policyname, qual FROM pg_policies",
            "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class "
            "WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')",
        )
        return sorted(repr(row) for question in questions for row in self.ask(question))


Place = OnSqlite | OnPostgres


@pytest.fixture(params=["sqlite", "postgres"])
def make_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Place]]:
    """A function that creates new, empty locations for ledgers, all on one engine."""
    with ExitStack() as stack:
        numbers = iter(range(100))

        def make() -> Place:
            folder = tmp_path / str(next(numbers))
            folder.mkdir()
            if request.param == "sqlite":
                return OnSqlite(folder)
            cluster: Cluster = request.getfixturevalue("cluster")
            return OnPostgres(cluster.create_database(), folder, stack)

        yield make


@pytest.fixture
def old(make_place: Callable[[], Place]) -> Place:
    """A location with a ledger of schema 3, as that version left it."""
    place = make_place()
    place.load((DATA / f"ledger_{place.name}_schema_3.sql").read_text())
    return place


def events_of(ledger: Ledger) -> dict[str, int]:
    """Cost by event id, with every checksum verified."""
    rows = [row for batch in ledger.read_batches(0) for row in batch.rows]
    return {event.event_id: event.cost_pusd for event in map(from_row, rows)}


def version_of(place: Place) -> int:
    (found,) = place.ask("SELECT schema_version FROM ledger_identity")
    return int(found[0])


OLD = {"old-0": 1, "old-1": 2, "old-2": 3, "old-3": 7}


def test_both_engines_have_the_same_schema_version() -> None:
    assert SQLITE_SCHEMA.version == POSTGRES_SCHEMA.version


def test_older_ledger_is_upgraded(old: Place) -> None:
    ledger = old.open()
    ledger.append([make_event(event_id="new", cost_pusd=11)])

    assert events_of(ledger) == {**OLD, "new": 11}
    assert len(ledger.read_conflicts()) == 1
    assert [intent.event_id for intent in ledger.intents()] == ["open-1"]
    ledger.close()
    assert version_of(old) == SQLITE_SCHEMA.version


def test_upgraded_ledger_equals_a_new_one(old: Place, make_place: Callable[[], Place]) -> None:
    new = make_place()
    for place in (old, new):
        ledger = place.open()
        ledger.append([make_event()])  # for the partition of its month
        ledger.close()

    assert old.tables() == new.tables()


def test_next_schema_step_upgrades_and_older_programs_refuse(old: Place) -> None:
    old.open().close()
    heard: list[tuple[int, int, int]] = []
    ledger = old.open_next(
        before_upgrade=lambda *versions: heard.append((*versions, version_of(old)))
    )
    ledger.append([make_event(event_id="new", cost_pusd=11)])
    assert events_of(ledger) == {**OLD, "new": 11}
    ledger.close()

    present = SQLITE_SCHEMA.version
    assert heard == [(present, present + 1, present)]
    assert version_of(old) == present + 1
    assert old.ask("SELECT mood, count(*) FROM usage_event GROUP BY mood ORDER BY mood") == [
        ("calm", 1),
        ("happy", 4),
    ]
    with pytest.raises(
        Damaged, match=f"newer version of Outlay .schema {present + 1}.*install the newer"
    ):
        old.open()
    reopened = old.open_next(before_upgrade=pytest.fail)
    assert events_of(reopened) == {**OLD, "new": 11}
    reopened.close()


def test_callback_can_stop_an_upgrade(old: Place) -> None:
    def refuse(present: int, following: int) -> None:
        announce(present, following)
        raise OSError("no room for a backup")

    with pytest.raises(OSError, match="no room"):
        old.open_next(before_upgrade=refuse)

    assert version_of(old) == 3
    ledger = old.open()
    assert events_of(ledger) == OLD
    ledger.close()


def test_failing_step_changes_nothing(old: Place) -> None:
    def fail(connection: Connection) -> None:
        add_column(connection)
        raise RuntimeError("half way")

    before = old.tables()
    kind = NextSqlite if isinstance(old, OnSqlite) else NextPostgres
    working = kind.schema
    kind.schema = Schema(first=working.first, steps=(*working.steps[:-1], fail))
    try:
        with pytest.raises(RuntimeError, match="half way"):
            old.open_next()
    finally:
        kind.schema = working
    assert (version_of(old), old.tables()) == (3, before)


def test_nodes_starting_concurrently_upgrade_once(cluster: Cluster, tmp_path: Path) -> None:
    stack = ExitStack()
    place = OnPostgres(cluster.create_database(), tmp_path, stack)
    place.load((DATA / "ledger_postgres_schema_3.sql").read_text())
    upgrades: list[tuple[int, int]] = []
    opened: list[PostgresLedger] = []

    def start(number: int) -> None:
        opened.append(
            place.open_next(
                node=f"node{number}", before_upgrade=lambda *versions: upgrades.append(versions)
            )
        )

    threads = [threading.Thread(target=start, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(opened) == 5
    assert len(upgrades) == 1
    for number, ledger in enumerate(opened):
        ledger.append([make_event(event_id=f"new-{number}")])
    assert len(events_of(opened[0])) == len(OLD) + 5
    for ledger in opened:
        ledger.close()
    stack.close()


def test_process_killed_during_an_upgrade_changes_nothing(old: Place) -> None:
    before = old.tables()
    killed = subprocess.run(
        [sys.executable, "-c", UPGRADE_AND_DIE, old.name, old.place],
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert killed.returncode == -signal.SIGKILL
    assert (version_of(old), old.tables()) == (3, before)

    ledger = old.open()
    assert events_of(ledger) == OLD
    ledger.close()
    following = old.open_next()
    assert events_of(following) == OLD
    following.close()


UPGRADE_AND_DIE = """
import os, signal, sys, tempfile
from pathlib import Path
from contextlib import ExitStack
from tests.integration import test_ledger_upgrades as these
from outlay.storage.ledger.schema import Schema

def die(connection):
    these.add_column(connection)
    os.kill(os.getpid(), signal.SIGKILL)

for kind in (these.NextSqlite, these.NextPostgres):
    kind.schema = Schema(first=kind.schema.first, steps=(*kind.schema.steps[:-1], die))
name, place = sys.argv[1:]
folder = Path(tempfile.mkdtemp())
if name == "sqlite":
    at = these.OnSqlite(folder)
    at.place = place
else:
    at = these.OnPostgres(place, folder, ExitStack())
at.open_next()
"""


def test_older_node_hands_over_to_the_newer_without_loss(cluster: Cluster, tmp_path: Path) -> None:
    """It buffers new events and is not ready for more until it is restarted with the newer
    version."""
    with ExitStack() as stack:
        place = OnPostgres(cluster.create_database(), tmp_path, stack)
        older = place.open(node="a")
        older.append([make_event(event_id="before")])
        newer = place.open_next(node="b")
        newer.append([make_event(event_id="by-newer")])
        older.append([make_event(event_id="meanwhile")])

        assert older.buffered == 1
        assert "Another node has upgraded the ledger" in (older.failure or "")
        assert set(events_of(newer)) == {"before", "by-newer"}
        older.close()
        restarted = place.open_next(node="a")
        assert set(events_of(restarted)) == {"before", "by-newer", "meanwhile"}
        assert restarted.failure is None
        newer.close()
        restarted.close()

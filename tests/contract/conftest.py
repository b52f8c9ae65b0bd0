"""The same tests on every engine."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from tests.backdoor import database_of

from outlay.kit.clock import Clock
from outlay.storage.ledger.postgres.store import PostgresLedger
from outlay.storage.ledger.postgres.write_ahead_buffer import WriteAheadBuffer
from outlay.storage.ledger.sqlite.store import SqliteLedger
from outlay.storage.ledger.store import Ledger
from outlay.storage.postgres import MarkedConnection, PostgresDatabase, enter_all
from outlay.storage.sqlite import connect


@pytest.fixture(params=["sqlite", "postgres"])
def open_ledger(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> Iterator[Callable[[], Ledger]]:
    """A function that opens one ledger, repeatedly; all are closed at the end."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            create: Callable[[], Ledger] = partial(SqliteLedger, tmp_path / "ledger.sqlite3", clock)
        else:
            database = PostgresDatabase(request.getfixturevalue("cluster").create_database())
            stack.callback(database.close)
            create = partial(_on_postgres, database, clock, tmp_path / "journal.sqlite3")

        def open_one() -> Ledger:
            ledger = create()
            stack.callback(ledger.close)
            return ledger

        yield open_one


def _on_postgres(database: PostgresDatabase, clock: Clock, journal: Path) -> Ledger:
    return PostgresLedger(database, clock, node_id="node", buffer=WriteAheadBuffer(journal, 1_000))


@pytest.fixture
def damage(open_ledger: Callable[[], Ledger], tmp_path: Path) -> Callable[[str], None]:
    """A function that runs a statement in the ledger's database outside Outlay."""

    def on_sqlite(statement: str) -> None:
        connection = connect(tmp_path / "ledger.sqlite3")
        connection.execute(statement)
        connection.close()

    def run(statement: str) -> None:
        ledger = open_ledger()
        if not isinstance(ledger, PostgresLedger):
            return on_sqlite(statement)
        connection = MarkedConnection(database_of(ledger).connect())
        with connection.raw.transaction():
            enter_all(connection)
            connection.execute(statement)
        connection.raw.close()
        return None

    return run


@pytest.fixture
def ledger(open_ledger: Callable[[], Ledger]) -> Ledger:
    """A new ledger."""
    return open_ledger()

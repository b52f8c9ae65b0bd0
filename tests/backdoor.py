"""Behind the stores: what tests damage, watch or hold still where no caller could.

The only module of the tests that uses private members of the product, each for the reason that
its function states (`tests/unit/test_private_members.py`).
"""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from outlay.services.gateway.limit_enforcement import SpendLimits
from outlay.services.gateway.spend_counters import LocalCounters
from outlay.services.recording.recorder import Recorder
from outlay.services.recording.senders import Senders
from outlay.storage.cube.duckdb.store import DuckDBCube
from outlay.storage.cube.store import Cube
from outlay.storage.directory.engine import Directory
from outlay.storage.ledger.sqlite.store import SqliteLedger

if TYPE_CHECKING:
    from outlay.storage.cube.clickhouse.home import ClickHouseHome
    from outlay.storage.cube.clickhouse.store import ClickHouseCube
    from outlay.storage.ledger.postgres.store import PostgresLedger
    from outlay.storage.ledger.postgres.write_ahead_buffer import WriteAheadBuffer
    from outlay.storage.postgres import PostgresDatabase


def engine_of(directory: Directory) -> Engine:
    """The database of a directory: to compare its tables, count statements, refuse commits."""
    return directory._engine


def sql_session(session: Any) -> Session:
    """The session of a transaction of the directory: to ask for its pragmas."""
    found: Session = session._session
    return found


def duckdb_of(cube: Cube) -> Any:
    """The database of a cube: to damage rows while it is open, which its file is locked against."""
    assert isinstance(cube, DuckDBCube)
    return cube._database


def writer_of(ledger: SqliteLedger) -> Any:
    """The connection that writes a ledger: to ask for its pragmas."""
    return ledger._writer


def connection_of(spool: "WriteAheadBuffer") -> Any:
    """The connection of a journal: to ask for its pragmas."""
    return spool._connection


def spool_of(ledger: "PostgresLedger") -> "WriteAheadBuffer":
    """The journal of a ledger: to let its disk fail."""
    return ledger._buffer


def reading_of(ledger: Any) -> AbstractContextManager[Any]:
    """A connection that reads a ledger: to run a statement without end, to look at its tables."""
    found: AbstractContextManager[Any] = ledger._reading()
    return found


def fail_writes(patch: pytest.MonkeyPatch, spool: "WriteAheadBuffer", error: Exception) -> None:
    """Let the connection of a journal raise an error, as a full disk does."""

    class Full:
        def execute(self, *_: object) -> None:
            raise error

    patch.setattr(spool, "_connection", Full())


def local_counters_of(limits: SpendLimits, api_key_id: str) -> list[tuple[int, int]]:
    """What is spent and held of the limits of a key, which this process alone counts."""
    counters = limits._counters
    assert isinstance(counters, LocalCounters)
    return [
        (counter.spent_pusd, counter.held_pusd)
        for key, counter in counters._counters.items()
        if key.scope_id == api_key_id
    ]


def wait_for_tag_values(recorder: Recorder) -> None:
    """Wait until the values seen so far are stored, which happens in the background."""
    recorder._tags._writer.submit(int).result()


def database_of(ledger: "PostgresLedger") -> "PostgresDatabase":
    """The database of a ledger: to damage rows behind its back."""
    return ledger._database


def server_of(home: "ClickHouseHome") -> Any:
    """The client of a server: to break off between two of its writes."""
    return home._server


def generations_of(home: "ClickHouseHome") -> list[int]:
    """The numbers of all cubes of a server: to see that replaced ones are dropped."""
    return home._generations()


class OutdatedPosition:
    """A loader takes nothing to be loaded, like one that looked before another loaded it."""

    def __init__(self, cube: "ClickHouseCube") -> None:
        self._cube = cube

    def __enter__(self) -> None:
        self._cube._state = lambda: (0, 0)  # type: ignore[method-assign]  # undone at the end

    def __exit__(self, *_: object) -> None:
        del self._cube._state


def cached_tokens(senders: Senders) -> int:
    """How many access tokens are remembered, good ones or not: strangers must not fill memory."""
    return len(senders._holders.values())

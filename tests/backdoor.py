"""Access to private parts for tests that damage, watch or block what no caller could.

The only module of the tests that uses private members of the product, each for the reason stated by
its function (`tests/unit/test_private_members.py`).
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
    """The database of a directory: to compare its tables, count statements, or fail commits."""
    return directory._engine


def sql_session(session: Any) -> Session:
    """The session of a directory transaction: to read its pragmas."""
    found: Session = session._session
    return found


def duckdb_of(cube: Cube) -> Any:
    """The database of a cube: to damage rows while it is open, because its file is locked."""
    assert isinstance(cube, DuckDBCube)
    return cube._database


def writer_of(ledger: SqliteLedger) -> Any:
    """The connection that writes a ledger: to read its pragmas."""
    return ledger._writer


def connection_of(buffer: "WriteAheadBuffer") -> Any:
    """The connection of a write-ahead buffer: to read its pragmas."""
    return buffer._connection


def buffer_of(ledger: "PostgresLedger") -> "WriteAheadBuffer":
    """The write-ahead buffer of a ledger: to make its disk fail."""
    return ledger._buffer


def reading_of(ledger: Any) -> AbstractContextManager[Any]:
    """A connection that reads a ledger: to run an endless statement, or to read its tables."""
    found: AbstractContextManager[Any] = ledger._reading()
    return found


def fail_writes(patch: pytest.MonkeyPatch, buffer: "WriteAheadBuffer", error: Exception) -> None:
    """Make the connection of a write-ahead buffer raise an error, like a full disk."""

    class Full:
        def execute(self, *_: object) -> None:
            raise error

    patch.setattr(buffer, "_connection", Full())


def local_counters_of(limits: SpendLimits, api_key_id: str) -> list[tuple[int, int]]:
    """The amounts spent and held against the limits of a key, which only this process counts."""
    counters = limits._counters
    assert isinstance(counters, LocalCounters)
    return [
        (counter.spent_pusd, counter.held_pusd)
        for key, counter in counters._counters.items()
        if key.scope_id == api_key_id
    ]


def wait_for_tag_values(recorder: Recorder) -> None:
    """Wait until the recorded values are stored, which happens in the background."""
    recorder._tags._writer.submit(int).result()


def database_of(ledger: "PostgresLedger") -> "PostgresDatabase":
    """The database of a ledger: to damage rows outside Outlay."""
    return ledger._database


def server_of(home: "ClickHouseHome") -> Any:
    """The client of a server: to interrupt it between two of its writes."""
    return home._server


def generations_of(home: "ClickHouseHome") -> list[int]:
    """The numbers of all cubes of a server: to check that replaced ones are dropped."""
    return home._generations()


class OutdatedPosition:
    """A loader finds nothing to load, like one that read the position before another loader changed
    it."""

    def __init__(self, cube: "ClickHouseCube") -> None:
        self._cube = cube

    def __enter__(self) -> None:
        self._cube._state = lambda: (0, 0)  # type: ignore[method-assign]  # undone at the end

    def __exit__(self, *_: object) -> None:
        del self._cube._state


def cached_tokens(senders: Senders) -> int:
    """The number of cached access tokens: unauthenticated clients must not fill memory."""
    return len(senders._holders.values())

"""Opening stores according to the settings: selects the database engines of an installation, and is
the only place that names them.

The engines of multi-machine installations are imported on demand: a single machine runs without
them.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.kit.clock import Clock, SystemClock
from outlay.kit.durable import create_file
from outlay.kit.ids import uuid7
from outlay.settings import Settings
from outlay.storage.cube.duckdb.home import DuckDBHome
from outlay.storage.cube.store import CubeHome
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.sqlite import SqliteDirectory
from outlay.storage.folder import check_database
from outlay.storage.health import StorageHealth
from outlay.storage.ledger.reading import LedgerReader
from outlay.storage.ledger.sqlite.reading import SqliteReading
from outlay.storage.ledger.sqlite.store import SqliteLedger, has_ledger
from outlay.storage.ledger.store import Ledger
from outlay.storage.nodes import Nodes, OneNode
from outlay.storage.upgrading import keep_before_upgrade

if TYPE_CHECKING:
    from outlay.storage.postgres import PostgresDatabase


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """The ledger, the directory, and the home of the cube."""

    ledger: Ledger
    open_reader: Callable[[], LedgerReader] | None
    """Opens the ledger for reading in another process; None if this process reads it."""
    directory: Directory
    cubes: CubeHome
    nodes: Nodes


@contextmanager
def open_stores(settings: Settings, clock: Clock) -> Iterator[Stores]:
    """Open the stores of an installation, except the cube.

    Raises Unavailable if a database is unreachable, Damaged if the ledger or the directory is not
    intact.
    """
    with ExitStack() as stack:
        database = connect_database(settings, stack)
        ledger, directory = _open_truth(settings, database, clock, stack)
        cubes = _open_cubes(settings)
        stack.callback(cubes.close)
        nodes = _open_nodes(database)
        stack.callback(nodes.close)
        open_reader = (
            partial(open_sqlite_reader, settings.database_path) if database is None else None
        )
        yield Stores(
            ledger=ledger,
            open_reader=open_reader,
            directory=directory,
            cubes=cubes,
            nodes=nodes,
        )


@contextmanager
def open_truth(settings: Settings, clock: Clock) -> Iterator[tuple[Ledger, Directory]]:
    """Open ledger and directory for writing, without a cube."""
    with ExitStack() as stack:
        yield _open_truth(settings, connect_database(settings, stack), clock, stack)


@contextmanager
def open_reading(settings: Settings) -> Iterator[tuple[LedgerReader, Directory]]:
    """Open ledger and directory for reading, alongside their writer."""
    with ExitStack() as stack:
        database = connect_database(settings, stack)
        if database is None and not settings.database_path.exists():
            raise Invalid(
                f"{settings.data} has no installation. Create one with `outlay org create`.",
                code=ErrorCode.NO_INSTALLATION,
            )
        directory = _open_directory(settings, database)
        stack.callback(directory.close)
        if database is None:
            if not has_ledger(settings.database_path):  # the server has not been started yet
                SqliteLedger(settings.database_path, SystemClock()).close()
            reading = SqliteReading(settings.database_path)
            stack.callback(reading.close_readers)
            reading.open_readers()
            yield reading, directory
        else:
            from outlay.storage.ledger.postgres.reading import PostgresReading

            yield PostgresReading(database), directory


@contextmanager
def open_directory(settings: Settings) -> Iterator[Directory]:
    """Open only the directory, alongside the process that uses the rest."""
    with ExitStack() as stack:
        directory = _open_directory(settings, connect_database(settings, stack))
        stack.callback(directory.close)
        yield directory


def describe_database(settings: Settings) -> str:
    """The engine and version of the shared database; empty without one. Raises Damaged for an
    unsafe one."""
    with ExitStack() as stack:
        database = connect_database(settings, stack)
        return database.describe() if database is not None else ""


def describe_cube(settings: Settings) -> str:
    """The engine of the cube. Raises Unavailable if it is unreachable."""
    cubes = _open_cubes(settings)
    try:
        return cubes.describe()
    finally:
        cubes.close()


def connect_database(settings: Settings, stack: ExitStack) -> "PostgresDatabase | None":
    """The shared database; None for a single-machine installation."""
    if not settings.database_url:
        if settings.moved_path.exists():
            raise Invalid(
                f"The installation in {settings.data} was moved to another database. Set "
                "OUTLAY_DATABASE_URL. To go back to the old state, delete "
                f"{settings.moved_path.name}.",
                code=ErrorCode.MOVED,
            )
        check_database(settings)
        keep_before_upgrade(settings, SystemClock())
        return None
    try:
        from outlay.storage.postgres import PostgresDatabase
    except ImportError as error:
        raise _driver_missing("OUTLAY_DATABASE_URL", "PostgreSQL") from error
    database = PostgresDatabase(settings.database_url, settings.database_pool)
    stack.callback(database.close)
    return database


def open_sqlite_reader(path: Path) -> SqliteReading:
    """Open the ledger in a file for reading."""
    reading = SqliteReading(path)
    reading.open_readers()
    return reading


def _open_truth(
    settings: Settings, database: "PostgresDatabase | None", clock: Clock, stack: ExitStack
) -> tuple[Ledger, Directory]:
    health = StorageHealth()
    ledger = _open_ledger(settings, database, clock, health)
    stack.callback(ledger.close)
    directory = _open_directory(settings, database, health)
    stack.callback(directory.close)
    return ledger, directory


def _open_ledger(
    settings: Settings,
    database: "PostgresDatabase | None",
    clock: Clock,
    health: StorageHealth,
) -> Ledger:
    if database is None:
        return SqliteLedger(settings.database_path, clock, health)
    from outlay.storage.ledger.postgres.store import PostgresLedger
    from outlay.storage.ledger.postgres.write_ahead_buffer import WriteAheadBuffer

    buffer = WriteAheadBuffer(settings.journal_path, settings.buffer_events)
    try:
        return PostgresLedger(database, clock, node_id=_node_id(settings, clock), buffer=buffer)
    except BaseException:
        buffer.close()
        raise


def _open_directory(
    settings: Settings, database: "PostgresDatabase | None", health: StorageHealth | None = None
) -> Directory:
    if database is None:
        return SqliteDirectory(settings.database_path, health)
    from outlay.storage.directory.postgres import PostgresDirectory

    return PostgresDirectory(database)


def _open_nodes(database: "PostgresDatabase | None") -> Nodes:
    if database is None:
        return OneNode()
    from outlay.storage.postgres_leader_election import PostgresLeaderElection

    return PostgresLeaderElection(database)


def _open_cubes(settings: Settings) -> CubeHome:
    if not settings.cube_url:
        return DuckDBHome(settings.cube_path)
    try:
        from outlay.storage.cube.clickhouse.home import ClickHouseHome
    except ImportError as error:
        raise _driver_missing("OUTLAY_CUBE_URL", "ClickHouse") from error
    return ClickHouseHome(settings.cube_url)


def _driver_missing(variable: str, engine: str) -> Invalid:
    return Invalid(
        f"{variable} needs the {engine} driver. Install it with `pip install 'outlay[scale]'`.",
        code=ErrorCode.DRIVER_MISSING,
    )


def _node_id(settings: Settings, clock: Clock) -> str:
    """The id of this process among the nodes: the same after a restart with the same folder."""
    path = settings.node_path
    if not path.exists():
        # Several workers may create it: the first one wins.
        with contextlib.suppress(FileExistsError):
            create_file(path, uuid7(clock).encode())
    return f"{path.read_text(encoding='ascii')}.{settings.worker}"

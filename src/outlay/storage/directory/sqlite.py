"""The directory in the ledger's SQLite file."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pysqlite3 as driver
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from typing_extensions import override

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Unavailable
from outlay.storage.directory.engine import HEAD, Directory, is_current, migrate
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.health import StorageHealth
from outlay.storage.sqlite import (
    apply_pragmas,
    check_sqlite_version,
    connect,
    refusal_of,
    translating_errors,
    truncate_log,
)

CONNECTIONS: Final = 12
"""Connections per process; each takes two open files."""

POOL_SECONDS: Final = 10.0
"""How long a transaction waits for a connection."""


class SqliteDirectory(Directory):
    """Organizations, people, keys and credentials in one file."""

    def __init__(self, path: Path, health: StorageHealth | None = None) -> None:
        """Open or create the tables in the database file at `path`, migrating them if necessary.

        `health` is shared with the ledger in the same file.
        """
        self._health = health or StorageHealth()
        check_sqlite_version()
        engine = create_engine(
            f"sqlite:///{path}",
            module=driver,
            connect_args={"timeout": 10.0},
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=POOL_SECONDS,
        )
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        super().__init__(engine)
        with self._translating_errors():
            self._migrate()

    def _migrate(self) -> None:
        with self._engine.connect() as connection:
            if is_current(connection):
                return
            # SQLite alters a table by rebuilding it, while other tables refer to it.
            connection.rollback()
            cursor = connection.connection.cursor()
            cursor.execute("PRAGMA foreign_keys=OFF")
            migrate(connection)
            connection.commit()
            cursor.execute("PRAGMA foreign_keys=ON")

    @override
    def open_connections(self) -> None:
        """Open all connections and the files behind them."""
        with self._translating_errors(), ExitStack() as opened:
            for _ in range(CONNECTIONS):
                connection = opened.enter_context(self._engine.connect())
                connection.exec_driver_sql("SELECT 1 FROM sqlite_schema")

    @override
    @contextmanager
    def read(self) -> Iterator[ReadSession]:
        with self._translating_errors(), super().read() as session:
            yield session

    @override
    @contextmanager
    def write(self) -> Iterator[WriteSession]:
        self._health.check()
        with self._translating_errors(), super().write() as session:
            yield session
        # An error in another thread may have affected this commit.
        self._health.check()

    @contextmanager
    def _translating_errors(self) -> Iterator[None]:
        """Translate SQLite errors to Outlay's."""
        try:
            with translating_errors(self._health):
                yield
        except PoolTimeout as error:
            raise Unavailable(
                "The directory is busy. Try again in a moment.", code=ErrorCode.DATABASE_BUSY
            ) from error
        except DBAPIError as error:
            refusal = refusal_of(error.orig, self._health) if error.orig else None
            if refusal is None:
                raise
            raise refusal from error

    @override
    def truncate_log(self) -> None:
        """Remove overwritten data from the write-ahead log."""
        with self._translating_errors(), self._engine.connect() as connection:
            truncate_log(connection.connection.driver_connection)

    @override
    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()


def is_older(path: Path) -> bool:
    """Whether the directory in a database file has an older version."""
    with closing(connect(path, read_only=True)) as connection:
        has_tables = "SELECT 1 FROM sqlite_schema WHERE name = 'alembic_version'"
        if not connection.execute(has_tables).fetchone():
            return False
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if found is None or found[0] == HEAD:
        return False
    # Imported on demand, as in `migrate`.
    from outlay.storage.directory.migrations import is_known

    return is_known(found[0])


def _prepare(connection: Any, _: object) -> None:
    """Disable the driver's implicit transactions, which begin only at the first write."""
    connection.isolation_level = None
    apply_pragmas(connection)


def _begin(connection: Connection) -> None:
    is_write = connection.get_execution_options().get("is_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")

"""The directory in a SQLite file, the one that the ledger is in."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pysqlite3 as driver
from sqlalchemy import Connection, create_engine, event
from typing_extensions import override

from outlay.storage.directory.engine import Directory, is_current, migrate
from outlay.storage.sqlite import apply_pragmas, check_sqlite_version, truncate_log

CONNECTIONS: Final = 12
"""Connections of a process; each is two open files."""

POOL_SECONDS: Final = 10.0
"""How long a transaction waits for a connection."""


class SqliteDirectory(Directory):
    """Organizations, people, keys and credentials in one file."""

    def __init__(self, path: Path) -> None:
        """Open or create the tables in the database file at `path`, migrating them if needed."""
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
        self._migrate()

    def _migrate(self) -> None:
        with self._engine.connect() as connection:
            if is_current(connection):
                return
            # SQLite changes a table by making it anew, which other tables refer to meanwhile.
            connection.rollback()
            cursor = connection.connection.cursor()
            cursor.execute("PRAGMA foreign_keys=OFF")
            migrate(connection)
            connection.commit()
            cursor.execute("PRAGMA foreign_keys=ON")

    @override
    def open_connections(self) -> None:
        """Open all connections and the files behind them."""
        with ExitStack() as opened:
            for _ in range(CONNECTIONS):
                connection = opened.enter_context(self._engine.connect())
                connection.exec_driver_sql("SELECT 1 FROM sqlite_schema")

    @override
    def truncate_log(self) -> None:
        """Leave nothing of what was overwritten in the write-ahead log."""
        with self._engine.connect() as connection:
            truncate_log(connection.connection.driver_connection)

    @override
    def close(self) -> None:
        """Release the file."""
        self._engine.dispose()


def _prepare(connection: Any, _: object) -> None:
    """Leave beginning transactions to us: the driver would begin them at the first write."""
    connection.isolation_level = None
    apply_pragmas(connection)


def _begin(connection: Connection) -> None:
    is_write = connection.get_execution_options().get("is_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")

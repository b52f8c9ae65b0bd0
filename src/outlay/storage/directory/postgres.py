"""The directory in PostgreSQL, shared by all nodes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, event, text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from typing_extensions import override

from outlay.kit.event_loop import refuse_on_event_loop
from outlay.storage.directory.engine import Directory, is_current, migrate
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import Base
from outlay.storage.postgres import (
    DIRECTORY_LOCK,
    SCHEMA_LOCK,
    PostgresDatabase,
    away,
    row_security_of,
)
from outlay.storage.row_level_security import entered_tenant

_ENTER: Final = text("SELECT set_config('outlay.organization', :tenant, true)")
_LOCK: Final = text("SELECT pg_advisory_xact_lock(:lock)")
_WALLED: Final = text("SELECT tablename FROM pg_policies WHERE schemaname = current_schema()")


class PostgresDirectory(Directory):
    """Organizations, people, keys and credentials in one database."""

    def __init__(self, database: PostgresDatabase) -> None:
        """Open or create the tables, migrating them if necessary; Unavailable without a
        database.
        """
        event.listen(database.engine, "begin", _begin)
        super().__init__(database.engine)
        with _translating_errors():
            self._migrate()

    def _migrate(self) -> None:
        with self._engine.begin() as connection:
            if is_current(connection):
                return
            connection.execute(_LOCK, {"lock": SCHEMA_LOCK})
            if is_current(connection):  # another node has migrated them in the meantime
                return
            migrate(connection)
            walled = set(connection.scalars(_WALLED))
            for table in Base.metadata.tables.values():
                if "organization_id" in table.columns and table.name not in walled:
                    for statement in row_security_of(table.name):
                        connection.execute(text(statement))

    @override
    @contextmanager
    def read(self) -> Iterator[ReadSession]:
        with _translating_errors(), super().read() as session:
            yield session

    @override
    @contextmanager
    def snapshot(self) -> Iterator[ReadSession]:
        refuse_on_event_loop("the directory")
        engine = self._engine.execution_options(isolation_level="REPEATABLE READ")
        with (
            _translating_errors(),
            Session(engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield ReadSession(session)

    @override
    @contextmanager
    def write(self) -> Iterator[WriteSession]:
        with _translating_errors(), super().write() as session:
            yield session

    @override
    def open_connections(self) -> None:
        """Nothing to do: the pool has to reconnect after an outage anyway."""

    @override
    def truncate_log(self) -> None:
        """Remove overwritten data from dead rows."""
        with self._engine.connect() as connection:
            autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
            tables = ", ".join(f'"{name}"' for name in Base.metadata.tables)
            autocommit.execute(text(f"VACUUM {tables}"))

    @override
    def close(self) -> None:
        """Nothing to do: the pool is closed by its owner."""


@contextmanager
def _translating_errors() -> Iterator[None]:
    """Translate connection errors to Unavailable."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise away(error) from error


def _begin(connection: Connection) -> None:
    """Set the organization for row-level security; writers take turns."""
    options = connection.get_execution_options()
    if options.get("isolation_level") == "AUTOCOMMIT":
        return
    connection.execute(_ENTER, {"tenant": entered_tenant()})
    if options.get("is_write", False):
        connection.execute(_LOCK, {"lock": DIRECTORY_LOCK})

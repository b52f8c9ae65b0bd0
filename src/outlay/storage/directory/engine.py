"""The directory's database: engine, migrations and units of work."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pysqlite3 as driver
from sqlalchemy import Connection, Engine, create_engine, event, inspect, select, text, update
from sqlalchemy.orm import Session

from outlay.storage.directory.tables import DirectoryRevisionRow
from outlay.storage.sqlite import apply_pragmas, check_sqlite_version

HEAD: Final = "4afaf96da25f"
"""The newest migration; a database that has it needs none."""


class Directory:
    """Organizations, people, keys and credentials. Thread-safe; one transaction per unit."""

    def __init__(self, path: Path) -> None:
        """Open or create the tables in the database file at `path`, migrating them if needed."""
        check_sqlite_version()
        self._engine: Engine = create_engine(
            f"sqlite:///{path}", module=driver, connect_args={"timeout": 10.0}
        )
        event.listen(self._engine, "connect", _prepare)
        event.listen(self._engine, "begin", _begin)
        self._writes = self._engine.execution_options(is_write=True)
        self._migrate()

    def _migrate(self) -> None:
        """Bring the tables to this version; Damaged when a newer version wrote them."""
        with self._engine.connect() as connection:
            if inspect(connection).has_table("alembic_version"):
                revision = text("SELECT version_num FROM alembic_version")
                if connection.scalar(revision) == HEAD:
                    return
            # Imported when there is something to migrate: it costs time and memory at every start.
            from outlay.storage.directory.migrations import upgrade

            # SQLite changes a table by making it anew, which other tables refer to meanwhile.
            connection.rollback()
            cursor = connection.connection.cursor()
            cursor.execute("PRAGMA foreign_keys=OFF")
            upgrade(connection)
            connection.commit()
            cursor.execute("PRAGMA foreign_keys=ON")

    @contextmanager
    def unit(self) -> Iterator[Session]:
        """One transaction: committed when the block ends, undone when it raises."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Like `unit`, one at a time: what the block reads stays true until it is committed."""
        with Session(self._writes, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def change(self) -> Iterator[Session]:
        """Like `write`, for changes that others keep in memory: it raises the revision."""
        with self.write() as session:
            session.execute(
                update(DirectoryRevisionRow).values(revision=DirectoryRevisionRow.revision + 1)
            )
            yield session

    def revision(self) -> int:
        """How many changes there have been, by this process or others."""
        with self.unit() as session:
            return session.scalars(select(DirectoryRevisionRow.revision)).one()

    def truncate_log(self) -> None:
        """Leave nothing of what was overwritten in the write-ahead log."""
        with self._engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

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

"""The directory's database: engine, migrations and units of work."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pysqlite3 as driver
from sqlalchemy import Engine, create_engine, event, inspect, select, text, update
from sqlalchemy.orm import Session

from outlay.storage.directory.tables import DirectoryRevisionRow
from outlay.storage.sqlite import apply_pragmas, check_sqlite_version

HEAD: Final = "43c75358bfe8"
"""The newest migration; a database that has it needs none."""


class Directory:
    """Organizations, people, keys and credentials. Thread-safe; one transaction per unit."""

    def __init__(self, path: Path) -> None:
        """Open or create the tables in the database file at `path`, migrating them if needed."""
        check_sqlite_version()
        self._engine: Engine = create_engine(
            f"sqlite:///{path}", module=driver, connect_args={"timeout": 10.0}
        )
        event.listen(self._engine, "connect", lambda connection, _: apply_pragmas(connection))
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

            upgrade(connection)
            connection.commit()

    @contextmanager
    def unit(self) -> Iterator[Session]:
        """One transaction: committed when the block ends, undone when it raises."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def change(self) -> Iterator[Session]:
        """Like `unit`, for changes that others keep in memory: it raises the revision."""
        with self.unit() as session:
            yield session
            session.execute(
                update(DirectoryRevisionRow).values(revision=DirectoryRevisionRow.revision + 1)
            )

    def revision(self) -> int:
        """How many changes there have been, by this process or others."""
        with self.unit() as session:
            return session.scalars(select(DirectoryRevisionRow.revision)).one()

    def close(self) -> None:
        """Release the file."""
        self._engine.dispose()

"""The directory's database: engine, migrations and units of work."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

import pysqlite3 as driver
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, select, update
from sqlalchemy.orm import Session

from outlay.domain.errors import Damaged
from outlay.storage.directory.tables import DirectoryRevisionRow
from outlay.storage.sqlite import apply_pragmas, check_sqlite_version


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
        with as_file(files("outlay.storage.directory.migrations")) as location:
            config = Config()
            config.set_main_option("script_location", str(location))
            script = ScriptDirectory.from_config(config)
            with self._engine.connect() as connection:
                current = MigrationContext.configure(connection).get_current_revision()
                known = {revision.revision for revision in script.walk_revisions()}
                if current == script.get_current_head():
                    return
                if current is not None and current not in known:
                    raise Damaged(
                        f"the directory was written by a newer Outlay (revision {current})",
                        code="directory-too-new",
                    )
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
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

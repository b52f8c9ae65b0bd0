"""The directory's database: migrations and transactions, on whichever engine."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine, Table, inspect, select, text, update
from sqlalchemy.orm import Session

from outlay.kit.event_loop import refuse_on_event_loop
from outlay.storage.directory.digests import Fault, accept, covered_tables, faults_of
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import DirectoryRevisionRow

HEAD: Final = "1dda40518883"
"""The newest migration; a database that has it needs none."""


class Directory(ABC):
    """Organizations, people, keys and credentials. Thread-safe; never called on an event loop."""

    def __init__(self, engine: Engine) -> None:
        """`engine` begins transactions as its database needs it; `is_write` says which kind."""
        self._engine = engine
        self._writes = engine.execution_options(is_write=True)

    @abstractmethod
    def open_connections(self) -> None:
        """Open what requests will need, so that none of them has to."""

    @abstractmethod
    def truncate_log(self) -> None:
        """Leave nothing of what was overwritten where the database may do without it."""

    @abstractmethod
    def close(self) -> None:
        """Release what was opened."""

    @contextmanager
    def read(self) -> Iterator[ReadSession]:
        """One transaction that reads."""
        refuse_on_event_loop("the directory")
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield ReadSession(session)
            _check_unchanged(session)

    @contextmanager
    def snapshot(self) -> Iterator[ReadSession]:
        """Like `read`: all of its statements see the directory at one instant."""
        with self.read() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[WriteSession]:
        """One transaction that writes: committed when the block ends, undone when it raises.

        They run one at a time: what the block reads stays true until it is committed.
        """
        refuse_on_event_loop("the directory")
        with Session(self._writes, expire_on_commit=False) as session, session.begin():
            write = WriteSession(session)
            yield write
            write.finish()

    @contextmanager
    def change(self) -> Iterator[WriteSession]:
        """Like `write`, for changes that others keep in memory: it raises the revision."""
        with self.write() as session:
            session.execute(
                update(DirectoryRevisionRow).values(revision=DirectoryRevisionRow.revision + 1)
            )
            yield session

    def faults(self, table: Table) -> list[Fault]:
        """The rows of a table that differ from their digests."""
        refuse_on_event_loop("the directory")
        with self._engine.begin() as connection:
            return [*faults_of(connection, table)]

    def accept(self) -> list[Fault]:
        """Take all rows as they are for what was written; what was wrong with them."""
        refuse_on_event_loop("the directory")
        with self._writes.begin() as connection:
            return [fault for table in covered_tables() for fault in accept(connection, table)]

    def revision(self) -> int:
        """How many changes there have been, by this process or others."""
        with self.read() as session:
            return session.scalars(select(DirectoryRevisionRow.revision)).one()


def _check_unchanged(session: Session) -> None:
    """Raise rather than commit what a transaction that reads has changed: a mistake of ours."""
    if session.dirty or session.new or session.deleted:
        raise RuntimeError("a transaction that reads has changed something")


def is_current(connection: Connection) -> bool:
    """Whether the tables are of this version."""
    if not inspect(connection).has_table("alembic_version"):
        return False
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision == HEAD


def migrate(connection: Connection) -> None:
    """Bring the tables to this version; Damaged when a newer version wrote them."""
    # Imported when there is something to migrate: it costs time and memory at every start.
    from outlay.storage.directory.migrations import upgrade

    upgrade(connection)

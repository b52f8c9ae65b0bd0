"""The directory's database on either engine: migrations and transactions."""

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

HEAD: Final = "aa076a7eb999"
"""The newest migration; a database with it needs none."""


class Directory(ABC):
    """Organizations, people, keys and credentials. Thread-safe; never called on an event loop."""

    def __init__(self, engine: Engine) -> None:
        """`engine` begins transactions as its database requires; `is_write` tells which kind."""
        self._engine = engine
        self._writes = engine.execution_options(is_write=True)

    @abstractmethod
    def open_connections(self) -> None:
        """Open the connections that requests will need in advance."""

    @abstractmethod
    def truncate_log(self) -> None:
        """Remove overwritten data from the write-ahead log."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""

    @contextmanager
    def read(self) -> Iterator[ReadSession]:
        """A read transaction."""
        refuse_on_event_loop("the directory")
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield ReadSession(session)
            _check_unchanged(session)

    @contextmanager
    def snapshot(self) -> Iterator[ReadSession]:
        """Like `read`, but all statements see the directory at one instant."""
        with self.read() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[WriteSession]:
        """A write transaction: committed when the block ends, rolled back if it raises.

        Write transactions run one at a time: what the block reads stays valid until the commit.
        """
        refuse_on_event_loop("the directory")
        with Session(self._writes, expire_on_commit=False) as session, session.begin():
            write = WriteSession(session)
            yield write
            write.finish()

    @contextmanager
    def change(self) -> Iterator[WriteSession]:
        """Like `write`, for changes that other processes cache: increments the revision."""
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
        """Accept all rows as they are; returns those that differed from their digests."""
        refuse_on_event_loop("the directory")
        with self._writes.begin() as connection:
            return [fault for table in covered_tables() for fault in accept(connection, table)]

    def revision(self) -> int:
        """The number of changes, by all processes."""
        with self.read() as session:
            return session.scalars(select(DirectoryRevisionRow.revision)).one()


def _check_unchanged(session: Session) -> None:
    """Raise instead of committing if a read transaction has changed anything, which is a bug."""
    if session.dirty or session.new or session.deleted:
        raise RuntimeError("a read transaction has changed something")


def is_current(connection: Connection) -> bool:
    """Whether the tables have the current version."""
    if not inspect(connection).has_table("alembic_version"):
        return False
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision == HEAD


def migrate(connection: Connection) -> None:
    """Migrate the tables to the current version; Damaged if a newer version wrote them."""
    # Imported on demand: it would cost time and memory at every start.
    from outlay.storage.directory.migrations import upgrade

    upgrade(connection)

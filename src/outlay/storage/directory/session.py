"""The two kinds of directory transaction, as types.

Functions that change something take a WriteSession, so that reading code cannot call them: the type
checker reports it before SQLite would fail with `database is locked`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import (
    CompoundSelect,
    Delete,
    Insert,
    Result,
    ScalarResult,
    Select,
    Table,
    Update,
    insert,
)
from sqlalchemy.orm import Session
from typing_extensions import override

from outlay.domain.errors import Damaged
from outlay.storage.directory.digests import DigestKeeper, damage_of

_Row = TypeVar("_Row")

Question: TypeAlias = Select[*tuple[Any, ...]] | CompoundSelect[*tuple[Any, ...]]
"""A statement that changes nothing."""

Statement: TypeAlias = Question | Insert | Update | Delete


class ReadSession:
    """A read transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, table: type[_Row], key: Any) -> _Row | None:
        """The row with a primary key, None without one; Damaged if it differs from its digest.
        Everything that authentication and authorization depend on is read in this way.
        """
        row = self._session.get(table, key)
        if row is not None and not self._has_written(row):
            (damage,) = damage_of(self._session, [row])
            if damage is not None:
                raise damage
        return row

    def damage_of(self, rows: Sequence[object]) -> list[Damaged | None]:
        """For each row its error, None if it matches its digest."""
        return damage_of(self._session, rows)

    def _has_written(self, row: object) -> bool:
        """Whether the row was written in this transaction, whose digests are written at its end."""
        return False

    def scalars(self, question: Select[_Row]) -> ScalarResult[_Row]:
        """The first column of every row."""
        return self._session.scalars(question)

    def scalar(self, question: Select[_Row]) -> _Row | None:
        """The first column of the first row; None if there is none."""
        found: _Row | None = self._session.scalar(question)
        return found

    def execute(self, statement: Question) -> Result[*tuple[Any, ...]]:
        """The rows of a query."""
        return self._session.execute(statement)


class WriteSession(ReadSession):
    """A write transaction; only one runs at a time.

    It includes the digests of all written rows.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._digests = DigestKeeper(session)
        self._is_cancelled = False

    @override
    def _has_written(self, row: object) -> bool:
        return self._digests.has_written(row)

    @override
    def execute(self, statement: Statement, values: Any = None) -> Result[*tuple[Any, ...]]:
        """Run a statement that inserts, updates, deletes or reads rows."""
        if isinstance(statement, Insert | Update | Delete):
            self._digests.note(statement, values)
        return self._session.execute(statement, values)

    def copy(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows unchanged; their digests are copied separately, even those of damaged
        rows.
        """
        self._session.execute(insert(table), rows)

    def finish(self) -> None:
        """Write the digests, unless the transaction was cancelled."""
        if not self._is_cancelled:
            self._digests.write()

    def add(self, row: object) -> None:
        """Insert a row at the next flush."""
        self._session.add(row)

    def add_all(self, rows: Iterable[object]) -> None:
        """Insert rows at the next flush."""
        self._session.add_all(rows)

    def merge(self, row: object) -> None:
        """Insert or replace a row at the next flush."""
        self._session.merge(row)

    def delete(self, row: object) -> None:
        """Delete a row at the next flush."""
        self._session.delete(row)

    def flush(self) -> None:
        """Send all pending changes to the database; raises its errors."""
        self._session.flush()

    def cancel(self) -> None:
        """Roll back the transaction and end it."""
        self._is_cancelled = True
        self._session.rollback()

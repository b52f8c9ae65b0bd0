"""The two kinds of directory transaction, as types.

Functions that change something take a WriteSession, so that code which only reads cannot call
them: the type checker says so, before SQLite would with `database is locked`.
"""

from collections.abc import Iterable
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import CompoundSelect, Delete, Insert, Result, ScalarResult, Select, Update
from sqlalchemy.orm import Session
from typing_extensions import override

_Row = TypeVar("_Row")

Question: TypeAlias = Select[*tuple[Any, ...]] | CompoundSelect[*tuple[Any, ...]]
"""A statement that changes nothing."""

Statement: TypeAlias = Question | Insert | Update | Delete


class ReadSession:
    """One transaction in which the directory is read."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, table: type[_Row], key: Any) -> _Row | None:
        """The row with a primary key, None when there is none."""
        return self._session.get(table, key)

    def scalars(self, question: Select[_Row]) -> ScalarResult[_Row]:
        """The first column of every row."""
        return self._session.scalars(question)

    def scalar(self, question: Select[_Row]) -> _Row | None:
        """The first column of the first row, None when there is none."""
        found: _Row | None = self._session.scalar(question)
        return found

    def execute(self, statement: Question) -> Result[*tuple[Any, ...]]:
        """The rows that a question finds."""
        return self._session.execute(statement)


class WriteSession(ReadSession):
    """One transaction in which the directory is changed; one of them runs at a time."""

    @override
    def execute(self, statement: Statement, values: Any = None) -> Result[*tuple[Any, ...]]:
        """Insert, update or delete rows, or read."""
        return self._session.execute(statement, values)

    def add(self, row: object) -> None:
        """Insert a row at the next flush."""
        self._session.add(row)

    def add_all(self, rows: Iterable[object]) -> None:
        """Insert rows at the next flush."""
        self._session.add_all(rows)

    def merge(self, row: object) -> None:
        """Insert a row at the next flush, or replace the one that has its primary key."""
        self._session.merge(row)

    def delete(self, row: object) -> None:
        """Delete a row at the next flush."""
        self._session.delete(row)

    def flush(self) -> None:
        """Tell the database of all changes so far; raises what it objects to."""
        self._session.flush()

    def cancel(self) -> None:
        """Undo what the transaction has done so far, and end it."""
        self._session.rollback()

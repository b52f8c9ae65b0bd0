"""Copying the complete directory between databases."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Table, delete, func, select

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Conflict
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import Base, DirectoryRevisionRow, OrganizationRow

CHUNK: Final = 1_000


class TableRows(NamedTuple):
    """Some rows of a table."""

    table: str
    columns: list[str]
    rows: list[list[Any]]


def read_rows(session: ReadSession) -> Iterator[TableRows]:
    """All rows of all tables, referenced tables first, each in order of its key."""
    for table in Base.metadata.sorted_tables:
        columns = [str(column.name) for column in table.columns]
        found = session.execute(select(table).order_by(*table.primary_key.columns))
        for part in found.partitions(CHUNK):
            yield TableRows(str(table.name), columns, [list(row) for row in part])


def put_rows(session: WriteSession, parts: Iterable[TableRows]) -> None:
    """Insert rows into empty tables; raises Conflict if they are not empty."""
    if session.scalar(select(func.count()).select_from(OrganizationRow)):
        raise Conflict("The directory to restore into is not empty.", code=ErrorCode.NOT_EMPTY)
    session.execute(delete(Base.metadata.tables[DirectoryRevisionRow.__tablename__]))
    for part in parts:
        table: Table = Base.metadata.tables[part.table]
        session.copy(table, _named(part.columns, part.rows))


def _named(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in rows]

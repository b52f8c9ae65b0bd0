"""A digest of each directory row, stored separately, so that damage is detected.

Rows written through a WriteSession have their digests written in the same transaction. A row that
is changed, lost or added in any other way differs from its digest: bit rot, a partial restore, a
statement in a database shell. A damaged row stays marked as damaged, whatever else of it is
changed, until it has its original content again or is accepted as it is.
"""

import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import (
    Connection,
    Delete,
    Insert,
    MetaData,
    Select,
    Table,
    Update,
    delete,
    event,
    insert,
    inspect,
    select,
    tuple_,
)
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm import Session, object_mapper
from typing_extensions import override

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged
from outlay.kit.batches import batched
from outlay.storage.directory.tables import Base, RowDigestRow

NOT_COVERED: Final = {
    "alembic_version": "compared with the version at every start",
    "audit_entry": "chained and signed; `outlay audit verify` checks them",
    "directory_revision": "a counter that every change increments",
    "personal_value": "looked up by the digest of its content; `outlay audit verify` checks them",
    "row_digest": "the digests themselves: a wrong one shows as a wrong row",
    "scrub": "written continuously; a damaged one starts a new round",
    "span_mark": "kept for a day, and written with every trace",
    "verification": "the last verification's result; the next one replaces it",
}
"""Tables without digests, with the reason."""

_BYTES: Final = 16
_CHUNK: Final = 200
_encode: Final = msgspec.msgpack.Encoder().encode

Key = tuple[Any, ...]
"""A primary key, in the order of its columns."""


class Fault(NamedTuple):
    """A row that differs from its digest."""

    table: str
    what: str
    """`changed`, `added` or `missing`."""
    name: str
    """The primary key, if it is known: for a missing row it is not."""

    @override
    def __str__(self) -> str:
        row = f"row {self.name} of {self.table}" if self.name else f"a row of {self.table}"
        return f"{row} in the directory is {_FAULTS[self.what]}"


_FAULTS: Final = {
    "changed": "not as it was written",
    "added": "not written by Outlay",
    "missing": "missing",
}


def is_covered(table: Table) -> bool:
    """Whether the rows of a table have digests."""
    return table.name not in NOT_COVERED


def key_of(table: Table, row: Mapping[str, Any]) -> Key:
    """The primary key of a row."""
    return tuple(row[column.name] for column in table.primary_key.columns)


def digest_key(table: Table, key: Key) -> bytes:
    """The key of a row's digest."""
    return _digest([str(table.name), [_plain(value) for value in key]])


def digest_row(table: Table, row: Mapping[str, Any]) -> bytes:
    """The digest of a row: of the table's name and every column's name and value."""
    return _digest(
        [str(table.name), sorted((str(name), _plain(value)) for name, value in row.items())]
    )


def _rows(connection: Connection, question: Select[Any]) -> list[dict[str, Any]]:
    """The rows that a query finds, by column name."""
    found = connection.execute(question)
    names = [str(name) for name in found.keys()]  # noqa: SIM118 - of a result, not of a mapping
    return [dict(zip(names, row, strict=True)) for row in found]


def _plain(value: Any) -> Any:
    """A value in the form in which every database returns it."""
    return int(value) if isinstance(value, bool) else value


def _digest(content: Any) -> bytes:
    return blake2b(_encode(content), digest_size=_BYTES).digest()


class DigestKeeper:
    """Tracks which rows a transaction writes, and writes their digests at its end."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._touched: dict[Table, set[Key]] = defaultdict(set)
        self._damaged: set[bytes] = set()
        """Digest keys of rows that were damaged before the transaction."""
        event.listen(session, "before_flush", self._before_flush)
        event.listen(session, "after_flush", self._after_flush)

    def has_written(self, row: object) -> bool:
        """Whether a mapped row was written in this transaction, or is about to be."""
        state = inspect(row)
        if state is None or state.identity is None:
            return True
        return state.modified or self._has_touched(state.mapper.local_table, tuple(state.identity))

    def _has_touched(self, table: Table, key: Key) -> bool:
        return key in self._touched.get(table, ())

    def note(self, statement: Insert | Update | Delete, values: Any) -> None:
        """Track the rows that a statement is about to change."""
        named: Any = statement.table
        table = Base.metadata.tables[str(named.name)]
        if not is_covered(table):
            return
        if isinstance(statement, Insert):
            rows = values if isinstance(values, Sequence) else [values]
            self._touched[table].update(key_of(table, row) for row in rows)
            return
        self._session.flush()
        question = select(table)
        if statement.whereclause is not None:
            question = question.where(statement.whereclause)
        self._note_stored(table, question)

    def _note_stored(self, table: Table, question: Select[Any]) -> None:
        """Track rows before they change, and which of them are damaged already."""
        connection = self._session.connection()
        rows = _rows(connection, question)
        fresh = [row for row in rows if not self._has_touched(table, key_of(table, row))]
        self._touched[table].update(key_of(table, row) for row in fresh)
        names = [digest_key(table, key_of(table, row)) for row in fresh]
        stored = stored_digests(connection, names)
        for name, row in zip(names, fresh, strict=True):
            if stored.get(name) != digest_row(table, row):
                self._damaged.add(name)

    def _before_flush(self, session: Session, *_: object) -> None:
        changed: dict[Table, set[Key]] = defaultdict(set)
        for row in (*session.dirty, *session.deleted):
            state = inspect(row)
            changed[state.mapper.local_table].add(tuple(state.identity or ()))
        for table, keys in changed.items():
            if is_covered(table):
                self._note_stored(table, select(table).where(_is_one_of(table, keys)))

    def _after_flush(self, session: Session, *_: object) -> None:
        for row in session.new:
            state = inspect(row)
            table = state.mapper.local_table
            if is_covered(table):
                self._touched[table].add(tuple(state.mapper.primary_key_from_instance(row)))

    def write(self) -> None:
        """Write the digests of all written rows, at the end of a transaction."""
        self._session.flush()
        for table, keys in self._touched.items():
            for some in batched(keys, _CHUNK):
                self._write_some(table, some)

    def _write_some(self, table: Table, keys: Sequence[Key]) -> None:
        question = select(table).where(_is_one_of(table, keys))
        connection = self._session.connection()
        found = {key_of(table, row): row for row in _rows(connection, question)}
        names = {key: digest_key(table, key) for key in keys}
        damaged = {key for key in found if names[key] in self._damaged}
        put_digests(
            connection,
            gone=[names[key] for key in keys if key not in damaged],
            rows=[(table, row) for key, row in found.items() if key not in damaged],
        )


def damage_of(session: Session, rows: Sequence[object]) -> list[Damaged | None]:
    """For each mapped row its error, None if it matches its digest."""
    found = [_values_of(row) for row in rows]
    names = [digest_key(table, key_of(table, values)) for table, values in found]
    stored = stored_digests(session.connection(), names)
    return [
        None
        if not is_covered(table) or stored.get(name) == digest_row(table, values)
        else Damaged(
            f"A row of {table.name} in the directory was changed outside Outlay. `outlay audit "
            "verify` names it: restore a backup, or review it and run `outlay audit accept`.",
            code=ErrorCode.DIRECTORY_DAMAGED,
        )
        for name, (table, values) in zip(names, found, strict=True)
    ]


def _values_of(row: object) -> tuple[Table, dict[str, Any]]:
    mapper = object_mapper(row)
    table = Base.metadata.tables[row.__tablename__]  # type: ignore[attr-defined]  # as every mapped row has
    return table, {each.columns[0].name: getattr(row, each.key) for each in mapper.column_attrs}


def stored_digests(connection: Connection, names: Sequence[bytes]) -> dict[bytes, bytes]:
    """The stored digests under some keys."""
    found: dict[bytes, bytes] = {}
    for some in batched(names, _CHUNK):
        rows = connection.execute(
            select(RowDigestRow.row_key, RowDigestRow.digest).where(RowDigestRow.row_key.in_(some))
        )
        found.update((key, digest) for key, digest in rows)
    return found


def put_digests(
    connection: Connection,
    *,
    gone: Sequence[bytes],
    rows: Iterable[tuple[Table, Mapping[str, Any]]],
) -> None:
    """Delete digests by their keys, then write those of rows."""
    for some in batched(gone, _CHUNK):
        connection.execute(delete(RowDigestRow).where(RowDigestRow.row_key.in_(some)))
    for part in batched(rows, _CHUNK):
        digests = [
            {
                "row_key": digest_key(table, key_of(table, row)),
                "table_name": table.name,
                "digest": digest_row(table, row),
            }
            for table, row in part
        ]
        connection.execute(insert(RowDigestRow), digests)


def faults_of(connection: Connection, table: Table) -> Iterator[Fault]:
    """The rows of a table that differ from their digests, in one transaction."""
    kept: dict[bytes, bytes] = {
        key: digest
        for key, digest in connection.execute(
            select(RowDigestRow.row_key, RowDigestRow.digest).where(
                RowDigestRow.table_name == table.name
            )
        )
    }
    for row in _rows(connection, select(table)):
        digest = kept.pop(digest_key(table, key_of(table, row)), None)
        if digest != digest_row(table, row):
            what = "added" if digest is None else "changed"
            yield Fault(table.name, what, _name_of(table, row))
    yield from (Fault(table.name, "missing", "") for _ in kept)


def accept(connection: Connection, table: Table) -> list[Fault]:
    """Accept the rows of a table as they are; returns those that differed."""
    faults = [*faults_of(connection, table)]
    if faults:
        connection.execute(delete(RowDigestRow).where(RowDigestRow.table_name == table.name))
        rows = _rows(connection, select(table))
        put_digests(connection, gone=(), rows=[(table, row) for row in rows])
    return faults


def covered_tables() -> list[Table]:
    """The tables that have digests."""
    return [table for table in Base.metadata.sorted_tables if is_covered(table)]


def check_stored(connection: Connection) -> list[Fault]:
    """The rows that differ from their digests, in tables of any version; empty without digests."""
    return [fault for table in _stored_tables(connection) for fault in faults_of(connection, table)]


def _stored_tables(connection: Connection) -> list[Table]:
    """The tables with digests in the database, which may be of an older version."""
    if not inspect(connection).has_table(RowDigestRow.__tablename__):
        return []
    metadata = MetaData()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # about indexes, which do not matter here
        metadata.reflect(
            connection, only=lambda name, _: name in Base.metadata.tables, resolve_fks=False
        )
    return [table for table in metadata.sorted_tables if is_covered(table)]


def redigest(connection: Connection, damaged: Sequence[Fault]) -> None:
    """Rewrite all digests after a migration has changed rows; damaged rows stay marked."""
    wrong = {(fault.table, fault.name) for fault in damaged}
    for table in _stored_tables(connection):
        rows = _rows(connection, select(table))
        good = [row for row in rows if (table.name, _name_of(table, row)) not in wrong]
        kept = connection.scalars(
            select(RowDigestRow.row_key).where(RowDigestRow.table_name == table.name)
        ).all()
        is_short = any(fault[:2] == (table.name, "missing") for fault in damaged)
        names = {digest_key(table, key_of(table, row)) for row in rows}
        good_names = {digest_key(table, key_of(table, row)) for row in good}
        # Keep the digests of damaged rows and, if rows are missing, those without a row.
        gone = [key for key in kept if key in good_names or not (key in names or is_short)]
        put_digests(connection, gone=gone, rows=[(table, row) for row in good])


def _name_of(table: Table, row: Mapping[str, Any]) -> str:
    return "/".join(map(_shown, key_of(table, row)))


def _is_one_of(table: Table, keys: Iterable[Key]) -> Any:
    columns = [*table.primary_key.columns]
    if len(columns) == 1:
        return columns[0].in_([key[0] for key in keys])
    return tuple_(*columns).in_(list(keys))


def _shown(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)

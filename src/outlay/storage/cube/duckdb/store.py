"""The cube on DuckDB: one writer, one cursor per snapshot, no indexes, nothing that cannot be
rebuilt.

A question runs in one read transaction, so all its statements see the same ledger position. A
connection that threads share returns wrong rows silently, so each snapshot has its own cursor.
"""

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson
from typing_extensions import override

from outlay.domain.answers import ZERO
from outlay.domain.discovery import NO_MERGES
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import OutlayError, Unavailable
from outlay.domain.period import bucket_at, bucket_start
from outlay.domain.query import CORE_MEASURES, RowQuery, UsageQuery
from outlay.domain.questions import StepTotals
from outlay.storage.cube.aggregation import Deltas
from outlay.storage.cube.duckdb import dictionary, statements
from outlay.storage.cube.duckdb.cursors import Cursors, SnapshotCursor
from outlay.storage.cube.duckdb.dialect import DuckDBDialect
from outlay.storage.cube.fragments import Parameters
from outlay.storage.cube.reader import SqlReader
from outlay.storage.cube.rollups import (
    CUBE_SCHEMA_VERSION,
    NARROWS,
    ROLLUPS,
    NarrowSpec,
    RollupSpec,
)
from outlay.storage.cube.store import CubeMismatch

MEMORY_LIMIT: Final = "384MB"
"""DuckDB's memory limit: more is not faster below 50 M rows, and the process stays small."""

CHECKPOINT_SIZE: Final = "16MB"


class DuckDBReader(SqlReader):
    """One snapshot, on one cursor."""

    def __init__(self, cursor: SnapshotCursor, codes: dictionary.Codes) -> None:
        row = cursor.execute("SELECT loaded_seq FROM cube_state").fetchone()
        super().__init__(DuckDBDialect(partial(codes.find, cursor)), int(row[0]) if row else 0)
        self._cursor = cursor

    @override
    def _fetch(self, text: str, parameters: Parameters) -> list[Any]:
        return self._cursor.execute(text, parameters).fetchall()

    @override
    def _stream(self, text: str, parameters: Parameters) -> Iterator[Any]:
        found = self._cursor.execute(text, parameters)
        while rows := found.fetchmany(10_000):
            yield from rows

    @override
    def _present(self, query: UsageQuery | RowQuery) -> tuple[str, ...]:
        """The measures that are not zero in the period, found with a small rollup; this avoids
        reading many columns.

        Measures are never negative, so if a sum is zero, so is each of its values.
        """
        whole = UsageQuery(
            organization_id=query.organization_id,
            period=query.period,
            merges=NO_MERGES,
            measures=tuple(dict.fromkeys((*CORE_MEASURES, *query.measures))),
        )
        found = self.ask(StepTotals(whole)).get(0, ZERO)
        return tuple(name for name in query.measures if getattr(found, name)) or query.measures[:1]

    @override
    def _row_counts(self) -> Mapping[str, int]:
        counts = {}
        tables = [table for spec in ROLLUPS for table in spec.tables]
        for table in (*tables, *(narrow.table for narrow in NARROWS)):
            row = self._cursor.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - table names are constants
            counts[table] = int(row[0]) if row else 0
        return counts

    @override
    def _narrow_differences(self) -> Mapping[str, int]:
        found = {narrow.shape.name: 0 for narrow in NARROWS}
        salt = secrets.token_hex(8)
        for spec in ROLLUPS:
            narrows = [narrow for narrow in NARROWS if narrow.source is spec]
            if not narrows:
                continue
            factors = statements.random_factors(spec)
            expected = self._row(statements.source_fingerprints(narrows, factors), {"salt": salt})
            for narrow, source in zip(narrows, expected, strict=True):
                statement = statements.narrow_fingerprint(narrow, factors)
                (own,) = self._row(statement, {"salt": salt})
                if (own - source) % statements.PRIME:
                    (cells,) = self._row(statements.narrow_differences(narrow), {})
                    found[narrow.shape.name] = cells
        return found

    def _row(self, text: str, parameters: Parameters) -> tuple[int, ...]:
        """The single row of a statement, with 0 for NULL."""
        (row,) = self._fetch(text, parameters)
        return tuple(int(value or 0) for value in row)


class DuckDBCube:
    """The rollups of one ledger in one DuckDB file."""

    def __init__(self, path: Path, edition: str, *, memory_limit: str = MEMORY_LIMIT) -> None:
        """Open or create the file; raises CubeMismatch if it is damaged or of another edition."""
        is_new = not path.exists()
        try:
            self._database = duckdb.connect(
                str(path),
                config={
                    "memory_limit": memory_limit,
                    "threads": 2,
                    "preserve_insertion_order": "false",
                    "checkpoint_threshold": CHECKPOINT_SIZE,
                    "temp_directory": str(path.with_suffix(".tmp")),
                    "autoinstall_known_extensions": "false",
                    "autoload_known_extensions": "false",
                },
            )
            self._database.execute("SET enable_progress_bar = false")
            if is_new:
                self._create(edition)
            state = self._database.execute(
                "SELECT edition, schema_version FROM cube_state"
            ).fetchone()
        except duckdb.Error as error:
            raise _unopened(error, is_new=is_new) from error
        if state != (edition, CUBE_SCHEMA_VERSION):
            self._database.close()
            raise CubeMismatch("The cube was built from different rows or by another version.")
        self.edition = edition
        self._write_lock = threading.Lock()
        self._cursors = Cursors(self._database)
        self._codes = dictionary.Codes()

    def _create(self, edition: str) -> None:
        database = self._database
        database.execute("BEGIN")
        for spec in ROLLUPS:
            for statement in statements.schema(spec):
                database.execute(statement)
        for narrow in NARROWS:
            database.execute(statements.schema_of_narrow(narrow))
        database.execute(dictionary.SCHEMA)
        database.execute("CREATE TABLE group_set (groups INTEGER, group_id VARCHAR)")
        database.execute("CREATE TABLE tag_set (tags INTEGER, key VARCHAR, value VARCHAR)")
        database.execute("CREATE TABLE changed_month (month DATE)")
        database.execute(
            "CREATE TABLE cube_state (edition VARCHAR, schema_version INTEGER, loaded_seq BIGINT)"
        )
        database.execute("INSERT INTO cube_state VALUES (?, ?, 0)", [edition, CUBE_SCHEMA_VERSION])
        database.execute("COMMIT")

    # Reading

    @contextmanager
    def read(self) -> Iterator[DuckDBReader]:
        """A snapshot for this thread."""
        try:
            with self._cursors.snapshot() as cursor:
                yield DuckDBReader(cursor, self._codes)
        except duckdb.OutOfMemoryException as error:
            raise Unavailable(
                "This query needs more memory than is free. Try again in a moment or choose a "
                "shorter period.",
                code=ErrorCode.CUBE_BUSY,
            ) from error

    # Writing

    @contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._write_lock, _translated():
            self._database.execute("BEGIN")
            try:
                yield self._database
            except BaseException:
                # After a fatal error there is nothing to roll back, and the first error is the
                # relevant one.
                with suppress(duckdb.Error):
                    self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def plan(self, from_seq: int, through_seq: int) -> int:
        """The end of a load, always `through_seq`: a failed load leaves nothing behind."""
        return through_seq

    def load(self, deltas: Deltas, *, from_seq: int, through_seq: int) -> None:
        """Add the cells of events (from_seq, through_seq] and move the position, atomically."""
        with self._transaction() as database:
            moved = database.execute(
                "UPDATE cube_state SET loaded_seq = ? WHERE loaded_seq = ? RETURNING loaded_seq",
                [through_seq, from_seq],
            ).fetchall()
            if not moved:
                raise CubeMismatch(f"The cube is not at event {from_seq}.")
            for spec, rows in deltas.tables():
                _load_cells(database, spec, rows)
            if deltas.group_sets:
                sets = orjson.dumps(sorted(deltas.group_sets)).decode()
                database.execute(statements.load_group_sets(), {"sets": sets})
            if deltas.tag_sets:
                sets = orjson.dumps(sorted(deltas.tag_sets)).decode()
                database.execute(statements.load_tag_sets(), {"sets": sets})

    def fold(self) -> None:
        """Fold pending rows into the rollups and note which months changed."""
        try:
            self._fold(statements.fold_narrow, statements.fold)
        except duckdb.ConversionException:
            self._fold(statements.move_narrow, statements.move)

    def _fold(
        self,
        narrow_statement: Callable[[NarrowSpec], str],
        statements_of: Callable[[RollupSpec], tuple[str, str]],
    ) -> None:
        with self._transaction() as database:
            days = database.execute("SELECT DISTINCT bucket // 96 FROM usage_delta").fetchall()
            months = {bucket_start(int(day) * 96).date().replace(day=1) for (day,) in days}
            for month in sorted(months):
                database.execute(
                    "INSERT INTO changed_month SELECT $month "
                    "WHERE $month NOT IN (SELECT month FROM changed_month)",
                    {"month": month},
                )
            for narrow in NARROWS:
                database.execute(narrow_statement(narrow))
            for spec in ROLLUPS:
                for statement in statements_of(spec):
                    database.execute(statement)

    def compact_one(self, before_bucket: int) -> bool:
        """Compact one changed month that ended before a bucket; returns False if there is none."""
        with self._transaction() as database:
            months = database.execute("SELECT month FROM changed_month ORDER BY month").fetchall()
            for (month,) in months:
                start, end = month_buckets(month)
                if end > before_bucket:
                    continue
                for spec in (*ROLLUPS, *(narrow.shape for narrow in NARROWS)):
                    self._compact(database, spec, start, end)
                database.execute("DELETE FROM changed_month WHERE month = ?", [month])
                return True
        return False

    @staticmethod
    def _compact(
        database: duckdb.DuckDBPyConnection, spec: RollupSpec, start: int, end: int
    ) -> None:
        """Compact a range of buckets, unless a sum does not fit one row."""
        if not database.execute(statements.overflow(spec, start, end)).fetchall():
            for statement in statements.compact(spec, start, end):
                database.execute(statement)

    def close(self) -> None:
        """Checkpoint and release the file."""
        with self._write_lock:
            self._database.close()


def month_buckets(month: date) -> tuple[int, int]:
    """First bucket of a UTC month and of the next."""
    start = bucket_start(0).replace(year=month.year, month=month.month)
    following = start.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
    return bucket_at(start), bucket_at(following)


@contextmanager
def _translated() -> Iterator[None]:
    """Translate write errors of the disk to Unavailable."""
    try:
        yield
    except (duckdb.IOException, duckdb.FatalException) as error:
        raise _unusable(error) from error


def _unusable(error: duckdb.Error) -> Unavailable:
    return Unavailable(
        f"The cube is not writable: {_first_line(error)}.", code=ErrorCode.CUBE_UNUSABLE
    )


def _unopened(error: duckdb.Error, *, is_new: bool) -> OutlayError:
    """The error for a cube that could not be opened."""
    if is_new:
        return _unusable(error)
    if isinstance(error, duckdb.BinderException | duckdb.CatalogException):
        return CubeMismatch("The cube was built by another version.")
    return CubeMismatch(f"The cube cannot be opened: {_first_line(error)}.")


def _first_line(error: duckdb.Error) -> str:
    return str(error).strip().partition("\n")[0]


def _load_cells(
    database: duckdb.DuckDBPyConnection, spec: RollupSpec, rows: list[tuple[object, ...]]
) -> None:
    """Insert cells as one JSON object of columns, texts as codes."""
    columns: dict[str, Any] = dict(zip(spec.columns, zip(*rows, strict=True), strict=True))
    columns |= dictionary.encode(database, {name: columns[name] for name in spec.coded})
    database.execute(statements.load(spec), {"cells": orjson.dumps(columns).decode()})

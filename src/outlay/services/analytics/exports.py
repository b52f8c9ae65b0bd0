"""Reports for chargeback and BI: any combination of dimensions and measures, as a file.

A file is written completely before its first byte is sent: it comes from one snapshot of the cube,
a slow client blocks nothing, and errors are found while they can still be returned.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from operator import attrgetter
from typing import IO, Annotated, Any, Final

import msgspec

from outlay.domain.answers import ZERO, Row, Totals
from outlay.domain.dimension import Dimension, Grouping
from outlay.domain.errors import Invalid
from outlay.domain.ids import OrganizationId
from outlay.domain.measure import MEASURES_BY_NAME, Unit
from outlay.domain.period import MAX_STEPS, Interval, Period, period_of_buckets, steps_of
from outlay.domain.query import ALL_MEASURES, UsageQuery
from outlay.domain.questions import Rows, StepTotals
from outlay.services.analytics.analytics import Analytics
from outlay.services.analytics.as_of import EarlierReader, SnapshotGone, reader_as_of
from outlay.storage.cube.store import CubeReader
from outlay.storage.ledger.store import Ledger
from outlay.wire.cursors import read_cursor, write_cursor
from outlay.wire.tables.table import Cell, Column, ColumnKind, FileStyle, Table
from outlay.wire.tables.writers import (
    WriteParquet,
    Writer,
    parquet_writer,
    write_csv,
    write_json,
    write_ndjson,
)
from outlay.wire.tables.xlsx import write_xlsx

MAX_LIMIT: Final = 100_000
SPOOL_BYTES: Final = 4 * 1024 * 1024
"""A file is kept in memory up to this size, on disk beyond it."""
TOTAL_TOKENS: Final = "total_tokens"
"""Not a measure of the cube, but the sum of two measures."""


class ReportFormat(StrEnum):
    """The file format of a report."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"
    XLSX = "xlsx"

    @property
    def media_type(self) -> str:
        """The Content-Type of the format."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES: Final = {
    ReportFormat.JSON: "application/json",
    ReportFormat.NDJSON: "application/x-ndjson",
    ReportFormat.CSV: "text/csv; charset=utf-8",
    ReportFormat.PARQUET: "application/vnd.apache.parquet",
    ReportFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The position after a page, and the state that the first page was read in."""

    start_bucket: int
    end_bucket: int
    timezone: str
    position: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    """The ledger position of its snapshot."""
    state: str
    """The rest of the state that its rows depend on: the ledger's edition and the merges."""
    question: str
    step: Annotated[int, msgspec.Meta(ge=0, le=MAX_STEPS)]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A question that is answered with a file."""

    organization_id: OrganizationId
    period: Period
    interval: Interval
    group_by: tuple[Grouping, ...]
    measures: tuple[str, ...]
    """Names of measures, and `total_tokens`, in the order of the columns."""
    filters: Mapping[Grouping, tuple[str, ...]]
    limit: int | None = None
    """Maximum number of rows per page; a page that is cut has the cursor of the next one."""
    cursor: str | None = None

    def __post_init__(self) -> None:
        if self.limit is not None and not 1 <= self.limit <= MAX_LIMIT:
            raise Invalid(f"`limit` must be between 1 and {MAX_LIMIT:,}.", field="limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFile:
    """A written report."""

    file: IO[bytes]
    """Positioned at its start; the caller closes it."""
    size: int
    digest: bytes
    """SHA-256 of the whole file."""
    period: Period
    """Its period; for a later page, the period of the first page."""
    trailer: Mapping[str, Any]
    following: str | None
    """The cursor of the next page; None on the last page."""


PLAIN_FILE: Final = FileStyle()

Describe = Callable[[UsageQuery, Totals], Mapping[str, Any]]
"""Creates the head of a file from the query and its totals."""


class Reports:
    """Writes reports."""

    def __init__(self, analytics: Analytics, ledger: Ledger, write_parquet: WriteParquet) -> None:
        self._analytics = analytics
        self._ledger = ledger
        self._writers: Mapping[ReportFormat, Writer] = {
            ReportFormat.JSON: write_json,
            ReportFormat.NDJSON: write_ndjson,
            ReportFormat.CSV: write_csv,
            ReportFormat.XLSX: write_xlsx,
            ReportFormat.PARQUET: parquet_writer(write_parquet),
        }

    def check(self, report: Report) -> Period:
        """The period of a report, or of its first page; raises Invalid for a bad cursor."""
        cursor = _read_cursor(report)
        if cursor is None:
            return report.period
        return period_of_buckets(cursor.start_bucket, cursor.end_bucket, cursor.timezone)

    def write(
        self,
        report: Report,
        file_format: ReportFormat,
        describe: Describe,
        style: FileStyle = PLAIN_FILE,
    ) -> ReportFile:
        """Write a report; `describe` creates the head of the file.

        A later page is read from the snapshot of the first one; raises SnapshotGone if that can no
        longer be read.
        """
        report = replace(report, period=self.check(report))
        cursor = _read_cursor(report)
        labels = {
            dimension: self._analytics.labels(report.organization_id, dimension)
            for dimension in report.group_by
        }
        merges = self._analytics.merges(report.organization_id)
        whole = UsageQuery(
            organization_id=OrganizationId(report.organization_id),
            merges=merges,
            period=report.period,
            filters=report.filters,
        )
        paging = _Paging(report.limit)
        with self._analytics.read() as snapshot:
            state = _digest(self._analytics.edition, merges.triples)
            position = cursor.position if cursor else snapshot.loaded_seq
            reader = snapshot if cursor is None else self._earlier(snapshot, report, cursor, state)
            total = reader.ask(StepTotals(whole)).get(0, ZERO)
            rows = paging.over(
                reader.ask(
                    Rows(
                        replace(
                            whole.by(*report.group_by),
                            measures=_needed(report.measures),
                            interval=report.interval,
                            after=(cursor.step, cursor.keys) if cursor else None,
                            limit=report.limit + 1 if report.limit else None,
                        )
                    )
                )
            )
            columns = _columns(report)
            table = Table(
                columns=columns,
                rows=_cells(report, rows, labels),
                head=describe(replace(whole, interval=report.interval), total),
                totals=_totals(report, total, columns),
                has_overlap=Dimension.GROUP in report.group_by,
                is_part=report.limit is not None,
            )
            written = self.write_table(table, file_format, report.period, style)
        if paging.ended_at is None:
            return written
        following = _Cursor(
            report.period.start_bucket,
            report.period.end_bucket,
            report.period.timezone,
            position,
            state,
            _question(report),
            paging.ended_at.step,
            paging.ended_at.keys,
        )
        return replace(written, following=write_cursor(following))

    def _earlier(
        self, snapshot: CubeReader, report: Report, cursor: _Cursor, state: str
    ) -> EarlierReader:
        if cursor.state != state:
            raise SnapshotGone(
                "Users, groups or requests were merged or erased since the first page. Start "
                "again with the first page."
            )
        return reader_as_of(snapshot, self._ledger, report.organization_id, cursor.position)

    def write_table(
        self,
        table: Table,
        file_format: ReportFormat,
        period: Period,
        style: FileStyle = PLAIN_FILE,
    ) -> ReportFile:
        """Write a complete table, whose rows may be streamed, as a file."""
        file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 - handed on
        try:
            trailer = self._writers[file_format](file, table, style)
            size = file.tell()
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]  # any binary file will do
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return ReportFile(
            file=file, size=size, digest=digest, period=period, trailer=trailer, following=None
        )


class _Paging:
    """Passes on the rows of a page, and stores the last one if there are more."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self.ended_at: Row | None = None

    def over(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows of the page."""
        last: Row | None = None
        for index, row in enumerate(rows):
            if index == self._limit:
                self.ended_at = last
                return
            last = row
            yield row


def _needed(measures: Sequence[str]) -> tuple[str, ...]:
    """The measures to read from the cube."""
    wanted = {*measures}
    if TOTAL_TOKENS in wanted:
        wanted |= {"input_tokens", "output_tokens"}
    return tuple(name for name in ALL_MEASURES if name in wanted)


def _columns(report: Report) -> list[Column]:
    columns = []
    if report.interval is not Interval.TOTAL:
        is_hourly = report.interval is Interval.HOUR
        kind = ColumnKind.LOCAL_TIME if is_hourly else ColumnKind.DATE
        columns += [Column("date", kind), Column("start", ColumnKind.INSTANT)]
    for dimension in report.group_by:
        columns += [Column(dimension.value, ColumnKind.ID), Column(f"{dimension.value}Label")]
    for name in report.measures:
        if name == TOTAL_TOKENS:
            columns.append(Column("totalTokens", ColumnKind.COUNT))
        else:
            measure = MEASURES_BY_NAME[name]
            is_money = measure.unit is Unit.PUSD
            columns.append(
                Column(measure.api_name, ColumnKind.MONEY if is_money else ColumnKind.COUNT)
            )
    return columns


def _cells(
    report: Report, rows: Iterable[Row], labels: Mapping[Grouping, Mapping[str, str]]
) -> Iterator[list[Cell]]:
    steps = steps_of(report.period, report.interval)
    measured = _reader_of(report.measures)
    for row in rows:
        cells: list[Cell] = []
        if report.interval is not Interval.TOTAL:
            step = steps[row.step]
            cells += [step.label, step.start.isoformat()]
        for dimension, key in zip(report.group_by, row.keys, strict=True):
            cells += [key, labels[dimension].get(key, key) if key else "Unattributed"]
        yield [*cells, *measured(row.measures)]


def _reader_of(measures: Sequence[str]) -> Callable[[Totals], tuple[int, ...]]:
    """A function that extracts some measures from Totals."""
    read: Callable[[Totals], Any] = attrgetter(*measures)
    return read if len(measures) > 1 else lambda totals: (read(totals),)


def _totals(report: Report, total: Totals, columns: Sequence[Column]) -> dict[str, int]:
    """The totals of the period, each request counted once, by column name."""
    summed = [column.name for column in columns if column.kind.is_summed]
    return {
        name: getattr(total, measure) for name, measure in zip(summed, report.measures, strict=True)
    }


def _read_cursor(report: Report) -> _Cursor | None:
    if report.cursor is None:
        return None
    cursor = read_cursor(report.cursor, _Cursor)
    if cursor.question != _question(report) or len(cursor.keys) != len(report.group_by):
        raise Invalid(
            "`cursor` belongs to a different query. Start again with the first page.",
            field="cursor",
        )
    return cursor


def _question(report: Report) -> str:
    """Everything that identifies the question of a report except the period, which is in the
    cursor."""
    filters = sorted((str(dimension), values) for dimension, values in report.filters.items())
    return _digest(report.interval, [*map(str, report.group_by)], report.measures, filters)


def _digest(*parts: object) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]

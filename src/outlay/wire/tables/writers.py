"""Writers of tables, row by row, in constant memory."""

from collections.abc import Callable, Iterable, Sequence
from typing import IO, Any, Final

from outlay.domain.money import render_usd
from outlay.wire.json_money import dump_json
from outlay.wire.tables.csv_text import render_line
from outlay.wire.tables.table import Cell, Column, ColumnKind, FileStyle, Table, Tally

Writer = Callable[[IO[bytes], Table, FileStyle], dict[str, Any]]
"""Writes a table and returns its trailer, even if the file gets none."""


def write_ndjson(file: IO[bytes], table: Table, style: FileStyle) -> dict[str, Any]:
    """One JSON object per row and line, then a line `{"trailer": …}`."""
    tally = Tally(table.columns)
    file.writelines(line for _, line in tally.lines(table.rows, style.money))
    trailer = tally.trailer(table)
    if style.has_trailer:
        file.write(dump_json({"trailer": {**trailer, **table.head}}, style.money) + b"\n")
    return trailer


def write_json(file: IO[bytes], table: Table, style: FileStyle) -> dict[str, Any]:
    """One object: the metadata, the rows, the trailer."""
    tally = Tally(table.columns)
    head = dump_json({**table.head, "rows": []}, style.money)
    file.write(head[: -len(b"]}")])
    before = b"\n"
    for _, line in tally.lines(table.rows, style.money):
        file.write(before + line.rstrip())
        before = b",\n"
    trailer = tally.trailer(table)
    file.write(b"\n]")
    if style.has_trailer:
        file.write(b',"trailer":' + dump_json(trailer, style.money))
    file.write(b"}\n")
    return trailer


def write_csv(file: IO[bytes], table: Table, style: FileStyle) -> dict[str, Any]:
    """A header, the rows, and a last line `#trailer` with the trailer as JSON."""
    tally = Tally(table.columns)
    file.write(render_line([column.name for column in table.columns]).encode())
    for row in tally.over(table.rows):
        cells = [_text(column, cell) for column, cell in zip(table.columns, row, strict=True)]
        file.write(render_line(cells).encode())
    trailer = tally.trailer(table)
    if style.has_trailer:
        file.write(render_line(["#trailer", dump_json(trailer, style.money).decode()]).encode())
    return trailer


WriteParquet = Callable[
    [
        IO[bytes],
        Sequence[tuple[str, str]],
        Iterable[Sequence[str | None]],
        Callable[[], str | None],
    ],
    None,
]
"""A function that writes rows of texts as columns of SQL types, with metadata."""


def parquet_writer(write: WriteParquet) -> Writer:
    """Parquet written by an engine: typed columns, the trailer in the metadata under `outlay`."""

    def write_parquet(file: IO[bytes], table: Table, style: FileStyle) -> dict[str, Any]:
        tally = Tally(table.columns)
        trailer: dict[str, Any] = {}

        def metadata() -> str | None:
            trailer.update(tally.trailer(table))
            if not style.has_trailer:
                return None
            return dump_json({**table.head, **trailer}, style.money).decode()

        rows = (
            [
                None if cell is None else _text(column, cell)
                for column, cell in zip(table.columns, row, strict=True)
            ]
            for row in tally.over(table.rows)
        )
        shape = [(column.name, _SQL_TYPES[column.kind]) for column in table.columns]
        write(file, shape, rows, metadata)
        return trailer

    return write_parquet


_SQL_TYPES: Final = {
    ColumnKind.TEXT: "VARCHAR",
    ColumnKind.ID: "VARCHAR",
    ColumnKind.DATE: "DATE",
    ColumnKind.LOCAL_TIME: "TIMESTAMP",
    ColumnKind.INSTANT: "TIMESTAMPTZ",
    ColumnKind.COUNT: "BIGINT",
    ColumnKind.MEAN: "BIGINT",
    ColumnKind.MONEY: "DECIMAL(38, 12)",
}


def _text(column: Column, cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, int):
        return render_usd(cell) if column.kind is ColumnKind.MONEY else str(cell)
    return cell

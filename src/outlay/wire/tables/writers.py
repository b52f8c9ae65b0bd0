"""Tables written as files, row by row: memory does not grow with them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, Any, Final

import xlsxwriter

from outlay.domain.errors import Invalid
from outlay.domain.money import render_usd
from outlay.wire.json_money import dump_json
from outlay.wire.tables.csv_text import render_line
from outlay.wire.tables.table import Cell, Column, ColumnKind, Table, Tally

Writer = Callable[[IO[bytes], Table], dict[str, Any]]
"""Writes a table and returns its trailer."""

MAX_SHEET_ROWS: Final = 1_048_575
"""What a sheet holds below its head."""


def write_ndjson(file: IO[bytes], table: Table) -> dict[str, Any]:
    """One JSON object per row and line, then one line `{"trailer": …}`."""
    tally = Tally(table.columns)
    file.writelines(line for _, line in tally.lines(table.rows))
    trailer = {**tally.trailer(), **table.foot}
    file.write(dump_json({"trailer": {**trailer, **table.head}}) + b"\n")
    return trailer


def write_json(file: IO[bytes], table: Table) -> dict[str, Any]:
    """One object: what is known before, the rows, the trailer."""
    tally = Tally(table.columns)
    head = dump_json({**table.head, "rows": []})
    file.write(head[: -len(b"]}")])
    before = b"\n"
    for _, line in tally.lines(table.rows):
        file.write(before + line.rstrip())
        before = b",\n"
    trailer = {**tally.trailer(), **table.foot}
    file.write(b'\n],"trailer":' + dump_json(trailer) + b"}\n")
    return trailer


def write_csv(file: IO[bytes], table: Table) -> dict[str, Any]:
    """A head, the rows, and a last line `#trailer` with the trailer as JSON."""
    tally = Tally(table.columns)
    file.write(render_line([column.name for column in table.columns]).encode())
    for row in tally.over(table.rows):
        cells = [_text(column, cell) for column, cell in zip(table.columns, row, strict=True)]
        file.write(render_line(cells).encode())
    trailer = {**tally.trailer(), **table.foot}
    file.write(render_line(["#trailer", dump_json(trailer).decode()]).encode())
    return trailer


def write_xlsx(file: IO[bytes], table: Table) -> dict[str, Any]:
    """A sheet of rows and a sheet with the trailer.

    A spreadsheet keeps 15 digits of a number; the trailer has all of them, as text.
    """
    tally = Tally(table.columns)
    book = xlsxwriter.Workbook(file, {"constant_memory": True, "strings_to_formulas": False})
    bold = book.add_format({"bold": True})
    money = book.add_format({"num_format": "0.00########"})
    sheet = book.add_worksheet("Usage")
    sheet.freeze_panes(1, 0)
    for index, column in enumerate(table.columns):
        sheet.write_string(0, index, column.name, bold)
    for position, row in enumerate(tally.over(table.rows), 1):
        if position > MAX_SHEET_ROWS:
            raise Invalid(
                f"a sheet holds {MAX_SHEET_ROWS:,} rows; ask for csv or parquet", field="format"
            )
        for index, cell in enumerate(row):
            if isinstance(cell, str):
                sheet.write_string(position, index, cell)
            elif cell is not None and table.columns[index].kind is ColumnKind.MONEY:
                sheet.write_number(position, index, float(render_usd(cell)), money)
            elif cell is not None:
                sheet.write_number(position, index, cell)
    trailer = {**tally.trailer(), **table.foot}
    proof = book.add_worksheet("Trailer")
    for position, (name, value) in enumerate(_lines({**table.head, **trailer})):
        proof.write_string(position, 0, name, bold)
        proof.write_string(position, 1, value)
    book.close()
    return trailer


WriteParquet = Callable[
    [
        IO[bytes],
        Sequence[tuple[str, int | None]],
        Iterable[Sequence[str | None]],
        Callable[[], str],
    ],
    None,
]
"""An engine that writes rows of texts as columns of so many decimals, with metadata."""


def parquet_writer(write: WriteParquet) -> Writer:
    """Parquet by an engine: exact decimals, the trailer in the metadata under `outlay`."""

    def write_parquet(file: IO[bytes], table: Table) -> dict[str, Any]:
        tally = Tally(table.columns)
        trailer: dict[str, Any] = {}

        def metadata() -> str:
            trailer.update(tally.trailer(), **table.foot)
            return dump_json({**table.head, **trailer}).decode()

        rows = (
            [
                None if cell is None else _text(column, cell)
                for column, cell in zip(table.columns, row, strict=True)
            ]
            for row in tally.over(table.rows)
        )
        shape = [(column.name, _DECIMALS[column.kind]) for column in table.columns]
        write(file, shape, rows, metadata)
        return trailer

    return write_parquet


_DECIMALS: Final = {ColumnKind.TEXT: None, ColumnKind.COUNT: 0, ColumnKind.MONEY: 12}


def _lines(values: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Names, joined by dots, and texts with all digits."""
    lines: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            lines += _lines(value, f"{above}{name}.")
        else:
            text = value if isinstance(value, str) else dump_json(value).decode()
            lines.append((above + name, text))
    return lines


def _text(column: Column, cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, int):
        return render_usd(cell) if column.kind is ColumnKind.MONEY else str(cell)
    return cell

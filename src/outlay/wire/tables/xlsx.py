"""Tables as workbooks that users can filter, pivot and sum."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any, Final

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from outlay.domain.errors import Invalid
from outlay.domain.money import render_usd
from outlay.wire.json_money import dump_json
from outlay.wire.tables.table import Cell, Column, ColumnKind, FileStyle, Table, Tally

MAX_SHEET_ROWS: Final = 1_048_570
"""Rows of a sheet between its header and its totals."""
_WIDEST: Final = 48
"""Widest column, in characters."""
_NUMBER_FORMATS: Final = {
    ColumnKind.DATE: "yyyy-mm-dd",
    ColumnKind.LOCAL_TIME: "yyyy-mm-dd hh:mm",
    ColumnKind.INSTANT: "yyyy-mm-dd hh:mm",
    ColumnKind.COUNT: "#,##0",
    ColumnKind.MEAN: "#,##0",
    ColumnKind.MONEY: "#,##0.00##########",
}
_TIMES: Final = frozenset({ColumnKind.DATE, ColumnKind.LOCAL_TIME, ColumnKind.INSTANT})


def write_xlsx(file: IO[bytes], table: Table, style: FileStyle) -> dict[str, Any]:
    """A sheet of rows with their totals, one of subtotals, and one with the trailer.

    Without a trailer, only the rows are written.

    A spreadsheet keeps 15 digits of a number and has no time zones: instants become local times,
    and the trailer has all digits, as text, and the zone.
    """
    tally = Tally(table.columns)
    book = xlsxwriter.Workbook(file, {"constant_memory": True, "strings_to_formulas": False})
    formats = _Formats(book)
    sheet = _Sheet(book.add_worksheet("Usage"), _in_sheet_order(table.columns), formats)
    subtotals = _Subtotals.of(table.columns)
    for row in tally.over(table.rows):
        if sheet.rows == MAX_SHEET_ROWS:
            raise Invalid(
                f"A sheet holds at most {MAX_SHEET_ROWS:,} rows. Use csv or parquet.",
                field="format",
            )
        sheet.add(row)
        if subtotals:
            subtotals.add(row)
    totals = _total_lines(table, tally) if style.has_trailer else []
    sheet.close(totals)
    trailer = tally.trailer(table)
    if style.has_trailer:
        if subtotals:
            subtotals.write(book.add_worksheet("Subtotals"), formats, totals)
        proof = book.add_worksheet("Trailer")
        lines = _lines({**table.head, **trailer})
        for position, (name, value) in enumerate(lines):
            proof.write_string(position, 0, name, formats.bold)
            proof.write_string(position, 1, value)
        proof.set_column(0, 0, _width(max(len(name) for name, _ in lines)))
        proof.set_column(1, 1, _WIDEST)
    book.close()
    return trailer


class _Formats:
    """Cell formats by content; those of totals are bold."""

    def __init__(self, book: Workbook) -> None:
        self.bold: Format = book.add_format({"bold": True})
        self.plain: dict[ColumnKind, Format] = {}
        self.totals: dict[ColumnKind, Format] = {}
        for kind, code in _NUMBER_FORMATS.items():
            self.plain[kind] = book.add_format({"num_format": code})
            self.totals[kind] = book.add_format({"num_format": code, "bold": True})


class _Sheet:
    """A sheet with a frozen header, filterable rows, and lines of totals."""

    def __init__(
        self, sheet: Worksheet, columns: Sequence[tuple[int, Column]], formats: _Formats
    ) -> None:
        """`columns` are in the order of the sheet, each with its index in a row."""
        self.rows = 0
        self._sheet = sheet
        self._columns = columns
        self._formats = formats
        self._widths = [len(column.name) + 2 for _, column in columns]  # room for the filter button
        sheet.freeze_panes(1, 0)
        for place, (_, column) in enumerate(columns):
            sheet.write_string(0, place, column.name, formats.bold)

    def add(self, row: Sequence[Cell]) -> None:
        """Write a row."""
        self.rows += 1
        for place, (index, column) in enumerate(self._columns):
            self._write(self.rows, place, column, row[index], self._formats.plain)

    def close(self, totals: Sequence[tuple[str, Mapping[str, int]]]) -> None:
        """Write the totals below the filtered rows and set the widths."""
        if self.rows:
            self._sheet.autofilter(0, 0, self.rows, len(self._columns) - 1)
        texts = [place for place, (_, column) in enumerate(self._columns) if not _is_number(column)]
        if texts:
            # After an empty line, which ends the range of a filter or pivot table.
            for position, (name, values) in enumerate(totals, self.rows + 2):
                self._sheet.write_string(position, texts[0], name, self._formats.bold)
                for place, (_, column) in enumerate(self._columns):
                    cell = values.get(column.name)
                    self._write(position, place, column, cell, self._formats.totals)
        for place, width in enumerate(self._widths):
            self._sheet.set_column(place, place, _width(width))

    def _write(
        self,
        position: int,
        place: int,
        column: Column,
        cell: Cell,
        formats: Mapping[ColumnKind, Format],
    ) -> None:
        """Write a cell; nothing if it is empty."""
        look = formats.get(column.kind)
        if isinstance(cell, str):
            if look is None:
                self._sheet.write_string(position, place, cell)
                self._note_width(place, len(cell))
            else:
                instant = datetime.fromisoformat(cell).replace(tzinfo=None)
                self._sheet.write_datetime(position, place, instant, look)
                self._note_width(place, len(_NUMBER_FORMATS[column.kind]))
        elif cell is not None:
            is_money = column.kind is ColumnKind.MONEY
            self._sheet.write_number(
                position, place, float(render_usd(cell)) if is_money else cell, look
            )
            digits = len(str(cell))
            self._note_width(place, digits + (2 if is_money else digits // 3))

    def _note_width(self, place: int, width: int) -> None:
        self._widths[place] = max(self._widths[place], width)


@dataclass(slots=True)
class _Subtotals:
    """Sums of rows by their first dimension, if it has several rows per value."""

    columns: Sequence[tuple[int, Column]]
    """Name and id of the dimension, and the summed columns."""
    sums: dict[tuple[Cell, ...], list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, columns: Sequence[Column]) -> "_Subtotals | None":
        """None if there is nothing to group by, or if each value has only one row."""
        ordered = _in_sheet_order(columns)
        ids = [index for index, column in enumerate(columns) if column.kind is ColumnKind.ID]
        is_stepped = any(column.kind in _TIMES for column in columns)
        if not ids or (len(ids) == 1 and not is_stepped):
            return None
        wanted = {ids[0], ids[0] + 1}
        return cls([(i, one) for i, one in ordered if i in wanted or one.kind.is_summed])

    def add(self, row: Sequence[Cell]) -> None:
        """Add a row to the subtotal of its value."""
        key = (row[self.columns[0][0]], row[self.columns[1][0]])
        known = self.sums.setdefault(key, [0] * (len(self.columns) - len(key)))
        for place, (index, _) in enumerate(self.columns[len(key) :]):
            cell = row[index]
            if isinstance(cell, int):
                known[place] += cell

    def write(
        self,
        sheet: Worksheet,
        formats: _Formats,
        totals: Sequence[tuple[str, Mapping[str, int]]],
    ) -> None:
        """Write a line per value and the totals."""
        columns = [(place, column) for place, (_, column) in enumerate(self.columns)]
        written = _Sheet(sheet, columns, formats)
        for key, sums in self.sums.items():
            written.add([*key, *sums])
        written.close(totals)


def _in_sheet_order(columns: Sequence[Column]) -> list[tuple[int, Column]]:
    """Columns, each with its index in a row; display names come before ids."""
    order = list(enumerate(columns))
    for index, column in enumerate(columns):
        if column.kind is ColumnKind.ID:
            order[index], order[index + 1] = order[index + 1], order[index]
    return order


def _total_lines(table: Table, tally: Tally) -> list[tuple[str, Mapping[str, int]]]:
    """The lines below the rows: their sums, the window's totals, and the differences between
    them.
    """
    summed = [
        (column.name, total)
        for column, total in zip(table.columns, tally.sums, strict=True)
        if column.kind.is_summed
    ]
    total = ("Total, every request once", table.totals)
    if all(table.totals.get(name, value) == value for name, value in summed):
        return [total]
    lines: list[tuple[str, Mapping[str, int]]] = [("Sum of these rows", dict(summed))]
    if table.has_overlap and not table.is_part:
        over = {name: value - table.totals[name] for name, value in summed if name in table.totals}
        lines.append(("Counted in more than one group (overlap)", over))
    return [*lines, total]


def _is_number(column: Column) -> bool:
    return column.kind.is_summed or column.kind is ColumnKind.MEAN


def _width(characters: int) -> int:
    return min(characters + 1, _WIDEST)


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

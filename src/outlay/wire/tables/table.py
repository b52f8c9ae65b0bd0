"""A table that is read once, and a trailer that proves that a file is complete."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from outlay.wire.json_money import Money, MoneyStyle, dump_json

Cell = str | int | None


class ColumnKind(Enum):
    """The type of a column. Times are ISO 8601 text."""

    TEXT = auto()
    ID = auto()
    """Text whose display name is in the next column."""
    DATE = auto()
    LOCAL_TIME = auto()
    """A date and time without an offset."""
    INSTANT = auto()
    """A date and time with its offset from UTC."""
    COUNT = auto()
    """A whole number."""
    MEAN = auto()
    """A whole number that must not be summed."""
    MONEY = auto()
    """Pico-USD; a file shows USD."""

    @property
    def is_summed(self) -> bool:
        """Whether the sum of a column is meaningful."""
        return self in {ColumnKind.COUNT, ColumnKind.MONEY}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    kind: ColumnKind = ColumnKind.TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns, rows and their metadata."""

    columns: Sequence[Column]
    rows: Iterable[Sequence[Cell]]
    head: Mapping[str, Any]
    """What is known before the first row: the query and the window."""
    totals: Mapping[str, int]
    """The window's totals by column, each request counted once, if known."""
    has_overlap: bool = False
    """Whether a request can be in several rows, so that rows sum to more than the totals."""
    is_part: bool = False
    """Whether rows of the window are missing, because of paging or a selection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStyle:
    """How a table is written, in any format."""

    money: MoneyStyle = MoneyStyle.NUMBER
    """How amounts are written in JSON."""
    has_trailer: bool = True


@dataclass(slots=True)
class Tally:
    """Counts and sums rows as they are written."""

    columns: Sequence[Column]
    row_count: int = 0
    sums: list[int] = field(default_factory=list)
    """Per column; 0 for columns that are not summed."""
    _digest: Any = field(default_factory=hashlib.sha256)

    def __post_init__(self) -> None:
        self.sums = [0] * len(self.columns)

    def over(self, rows: Iterable[Sequence[Cell]]) -> Iterator[Sequence[Cell]]:
        """The rows, unchanged."""
        return (row for row, _ in self.lines(rows))

    def lines(
        self, rows: Iterable[Sequence[Cell]], style: MoneyStyle = MoneyStyle.NUMBER
    ) -> Iterator[tuple[Sequence[Cell], bytes]]:
        """The rows, each with its line of JSON."""
        sums, line_of = self.sums, _line_maker(self.columns)
        summed = [index for index, column in enumerate(self.columns) if column.kind.is_summed]
        for row in rows:
            self.row_count += 1
            for index in summed:
                cell = row[index]
                if isinstance(cell, int):
                    sums[index] += cell
            line = line_of(row, MoneyStyle.NUMBER)
            self._digest.update(line)
            yield row, line if style is MoneyStyle.NUMBER else line_of(row, style)

    def trailer(self, table: Table) -> dict[str, Any]:
        """The trailer of a file: sums of its rows, the window's totals, a digest.

        `sha256` is over the rows as lines of JSON with amounts as numbers, whatever the format, so
        that files of different formats can be compared.
        """
        sums = {
            column.name: total
            for column, total in zip(self.columns, self.sums, strict=True)
            if column.kind.is_summed
        }
        trailer = {
            "rowCount": self.row_count,
            "rowTotals": self._rendered(sums),
            "totals": self._rendered(table.totals),
            "groupsOverlap": table.has_overlap,
            "sha256": self._digest.hexdigest(),
        }
        if table.has_overlap and not table.is_part:
            over = {name: total - table.totals[name] for name, total in sums.items()}
            trailer["overlap"] = self._rendered(over)
        return trailer

    def _rendered(self, values: Mapping[str, int]) -> dict[str, object]:
        money = {column.name for column in self.columns if column.kind is ColumnKind.MONEY}
        return {name: Money(value) if name in money else value for name, value in values.items()}


def _line_maker(columns: Sequence[Column]) -> Callable[[Sequence[Cell], MoneyStyle], bytes]:
    """A function that renders a row of these columns as a line of JSON."""
    names = [column.name for column in columns]
    money = [index for index, column in enumerate(columns) if column.kind is ColumnKind.MONEY]

    def line(row: Sequence[Cell], style: MoneyStyle) -> bytes:
        cells: list[object] = [*row]
        for index in money:
            cell = row[index]
            if isinstance(cell, int):
                cells[index] = Money(cell)
        return dump_json(dict(zip(names, cells, strict=True)), style) + b"\n"

    return line

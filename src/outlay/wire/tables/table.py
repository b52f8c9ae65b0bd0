"""A table that is read once, and the proof that a file has all of it."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import orjson

from outlay.wire.json_money import Money, dump_json

Cell = str | int | None


class ColumnKind(Enum):
    """What is in a column."""

    TEXT = auto()
    COUNT = auto()
    """A whole number."""
    MONEY = auto()
    """Pico-USD; a file shows USD."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    kind: ColumnKind = ColumnKind.TEXT


@dataclass(slots=True)
class Tally:
    """Counts rows as they pass."""

    columns: Sequence[Column]
    row_count: int = 0
    sums: list[int] = field(default_factory=list)
    """Per column; 0 for text."""
    _digest: Any = field(default_factory=hashlib.sha256)

    def __post_init__(self) -> None:
        self.sums = [0] * len(self.columns)

    def over(self, rows: Iterable[Sequence[Cell]]) -> Iterator[Sequence[Cell]]:
        """The rows, unchanged."""
        return (row for row, _ in self.lines(rows))

    def lines(self, rows: Iterable[Sequence[Cell]]) -> Iterator[tuple[Sequence[Cell], bytes]]:
        """The rows, each with its line of JSON."""
        sums, line_of = self.sums, _line_maker(self.columns)
        numbers = [
            index for index, column in enumerate(self.columns) if column.kind is not ColumnKind.TEXT
        ]
        for row in rows:
            self.row_count += 1
            for index in numbers:
                cell = row[index]
                if isinstance(cell, int):
                    sums[index] += cell
            line = line_of(row)
            self._digest.update(line)
            yield row, line

    def trailer(self) -> dict[str, Any]:
        """What a file ends with: rows, sums of all columns of numbers, and the rows' digest.

        `sha256` is over the rows as lines of JSON, whatever the format, so that files of different
        formats can be compared.
        """
        return {
            "rowCount": self.row_count,
            "rowTotals": {
                column.name: number(column, total)
                for column, total in zip(self.columns, self.sums, strict=True)
                if column.kind is not ColumnKind.TEXT
            },
            "sha256": self._digest.hexdigest(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns, rows and what is to be said of them all."""

    columns: Sequence[Column]
    rows: Iterable[Sequence[Cell]]
    head: Mapping[str, Any]
    """What is known before the first row: the question and the window."""
    foot: Mapping[str, Any]
    """What goes into the trailer beside the tally."""


def number(column: Column, value: int) -> object:
    """A number for JSON."""
    return Money(value) if column.kind is ColumnKind.MONEY else value


def _line_maker(columns: Sequence[Column]) -> Callable[[Sequence[Cell]], bytes]:
    """What makes a line of JSON of a row of these columns."""
    names = [column.name for column in columns]
    money = [index for index, column in enumerate(columns) if column.kind is ColumnKind.MONEY]

    def line(row: Sequence[Cell]) -> bytes:
        cells: list[object] = [*row]
        for index in money:
            cell = row[index]
            if isinstance(cell, int):
                cells[index] = Money(cell)
        return dump_json(dict(zip(names, cells, strict=True)), option=orjson.OPT_APPEND_NEWLINE)

    return line

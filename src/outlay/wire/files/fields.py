"""The fields of a row, read through a mapping."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from outlay.domain.errors import Invalid
from outlay.domain.usage import MAX_TOKENS
from outlay.wire.answer import text_of
from outlay.wire.files.columns import (
    Getter,
    Row,
    getter,
    list_in,
    real_number,
    whole_number,
    wrong,
)
from outlay.wire.files.mapping import Columns, FileMapping

MAX_REQUESTS = 1_000_000
"""Maximum number of requests per row."""


class Fields:
    """Reads mapped fields from rows."""

    def __init__(self, mapping: FileMapping) -> None:
        self.mapping = mapping
        self._get: Mapping[str, Getter] = {
            name: getter(columns) for name, columns in mapping.fields.items()
        }
        self._shown = {name: _shown(name, columns) for name, columns in mapping.fields.items()}

    def values(self, row: Row) -> list[Any]:
        """All mapped values of a row, in the order of the mapping."""
        return [get(row) for get in self._get.values()]

    def value(self, row: Row, name: str) -> Any:
        """The raw value of a field, or its default; None without either."""
        get = self._get.get(name)
        value = None if get is None else get(row)
        return self.mapping.defaults.get(name) if value is None else value

    def words(self, row: Row, name: str) -> str:
        """A field as unmodified text."""
        value = self.value(row, name)
        return value if isinstance(value, str) else "" if value is None else str(value)

    def text(self, row: Row, name: str) -> str:
        """A field as a label."""
        return text_of(self.words(row, name))

    def texts(self, row: Row, name: str) -> tuple[str, ...]:
        """A field as a list of labels."""
        found = (text_of(part).strip() for part in list_in(self.value(row, name)))
        return tuple(text for text in found if text)

    def count(self, row: Row, name: str) -> int | None:
        """A field as a count; None if it is empty, raises Invalid if it is not a count."""
        value = self.value(row, name)
        if value is None:
            return None
        count = whole_number(value, self.shown(name))
        if not 0 <= count <= MAX_TOKENS * MAX_REQUESTS:
            raise self.wrong(name, "a token count", value)
        return count

    def number(self, row: Row, name: str) -> Decimal | None:
        """A field as a number; None if it is empty, raises Invalid if it is not a number."""
        value = self.value(row, name)
        return None if value is None else real_number(value, self.shown(name))

    def shown(self, name: str) -> str:
        """The name of a field in messages."""
        return self._shown.get(name, f"`{name}`")

    def wrong(self, name: str, expected: str, value: Any) -> Invalid:
        """The error for a field; `expected` is a noun."""
        return wrong(self.shown(name), expected, value)


def _shown(name: str, columns: Columns) -> str:
    """The column and, in parentheses, the field that it is mapped to."""
    paths = [columns] if isinstance(columns, str) else columns
    return f"`{name}`" if paths == [name] else f"Column {' or '.join(paths)} ({name})"

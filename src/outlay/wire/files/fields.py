"""The fields of a row, found by a mapping."""

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
"""Most requests that one row may stand for."""


class Fields:
    """Takes the fields that a mapping names out of rows."""

    def __init__(self, mapping: FileMapping) -> None:
        self.mapping = mapping
        self._get: Mapping[str, Getter] = {
            name: getter(columns) for name, columns in mapping.fields.items()
        }
        self._shown = {name: _shown(name, columns) for name, columns in mapping.fields.items()}

    def values(self, row: Row) -> list[Any]:
        """All that a row says, in the order of the mapping."""
        return [get(row) for get in self._get.values()]

    def value(self, row: Row, name: str) -> Any:
        """A field as it stands in the row, or its default; None without either."""
        get = self._get.get(name)
        value = None if get is None else get(row)
        return self.mapping.defaults.get(name) if value is None else value

    def words(self, row: Row, name: str) -> str:
        """A field as text, as it stands there."""
        value = self.value(row, name)
        return value if isinstance(value, str) else "" if value is None else str(value)

    def text(self, row: Row, name: str) -> str:
        """A field as a label."""
        return text_of(self.words(row, name))

    def texts(self, row: Row, name: str) -> tuple[str, ...]:
        """A field as several labels."""
        found = (text_of(part).strip() for part in list_in(self.value(row, name)))
        return tuple(text for text in found if text)

    def count(self, row: Row, name: str) -> int | None:
        """A field as a count; None without one, Invalid for what cannot be one."""
        value = self.value(row, name)
        if value is None:
            return None
        count = whole_number(value, self.shown(name))
        if not 0 <= count <= MAX_TOKENS * MAX_REQUESTS:
            raise self.wrong(name, "a token count", value)
        return count

    def number(self, row: Row, name: str) -> Decimal | None:
        """A field as a number; None without one, Invalid for what is none."""
        value = self.value(row, name)
        return None if value is None else real_number(value, self.shown(name))

    def shown(self, name: str) -> str:
        """A field as it is called in messages."""
        return self._shown.get(name, f"`{name}`")

    def wrong(self, name: str, expected: str, value: Any) -> Invalid:
        """What is wrong with a field."""
        return wrong(self.shown(name), expected, value)


def _shown(name: str, columns: Columns) -> str:
    """By its column, and by what that is here."""
    paths = [columns] if isinstance(columns, str) else columns
    return f"`{name}`" if paths == [name] else f"Column {' or '.join(paths)} ({name})"

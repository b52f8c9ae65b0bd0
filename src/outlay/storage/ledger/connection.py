"""What the ledger needs of a database connection, common to all engines."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol


class Rows(Protocol):
    """The result of a statement."""

    def fetchone(self) -> Any:
        """The next row; None after the last one."""
        ...

    def fetchall(self) -> list[Any]:
        """The remaining rows."""
        ...

    def __iter__(self) -> Iterator[Any]: ...

    def close(self) -> None:
        """Release the remaining rows."""
        ...


class Connection(Protocol):
    """Runs statements with `?` placeholders."""

    def execute(self, text: str, values: Sequence[Any] = (), /) -> Rows:
        """Run a statement."""
        ...

    def executemany(self, text: str, values: Sequence[Sequence[Any]], /) -> object:
        """Run a statement once per set of values."""
        ...


class Lookup(NamedTuple):
    """How an engine finds events by event id and by answer id."""

    ids: str
    """The table with all event ids."""
    time: str
    """The expression for the event time in conditions that narrow a search by id."""

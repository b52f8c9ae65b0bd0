"""The interface of the cube that every columnar engine implements."""

from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged
from outlay.domain.questions import Question
from outlay.storage.cube.aggregation import Deltas

A = TypeVar("A")


class CubeMismatch(Damaged):
    """The stored cube belongs to another ledger or version and must be rebuilt."""

    default_code = ErrorCode.CUBE_MISMATCH


class CubeReader(Protocol):
    """One consistent snapshot of the cube."""

    @property
    def loaded_seq(self) -> int:
        """The ledger position that the snapshot covers."""
        ...

    def ask(self, question: Question[A]) -> A:
        """The answer to a question; callers must not change it."""
        ...


class Cube(Protocol):
    """The rollups of a ledger: written by one thread, read by many, rebuilt at any time."""

    edition: str
    """The edition of the ledger that it was built from."""

    def read(self) -> AbstractContextManager[CubeReader]:
        """A snapshot of the cube."""
        ...

    def plan(self, from_seq: int, through_seq: int) -> int:
        """The end of a load: `through_seq`, or where an earlier attempt ended."""
        ...

    def load(self, deltas: Deltas, *, from_seq: int, through_seq: int) -> None:
        """Add the cells of events (from_seq, through_seq] and move the position, atomically."""
        ...

    def fold(self) -> None:
        """Fold pending rows into the rollups."""
        ...

    def compact_one(self, before_bucket: int) -> bool:
        """Compact one changed month that ended before a bucket; returns False if there is none."""
        ...

    def close(self) -> None:
        """Release the files."""
        ...


class CubeHome(Protocol):
    """The storage of an installation's cube, with room to build its replacement."""

    @property
    def is_shared(self) -> bool:
        """Whether other nodes use the same cube; one node at a time loads it."""
        ...

    def open(self, edition: str) -> Cube:
        """The current cube; an empty one is created if there is none.

        Raises CubeMismatch if it is damaged, of another version or, unless it is shared, of another
        edition.
        """
        ...

    def is_present(self, cube: Cube) -> bool:
        """Whether a cube is the current one; any node may have replaced it."""
        ...

    def fresh(self, edition: str) -> Cube:
        """An empty cube next to the current one."""
        ...

    def install(self, fresh: Cube, present: Cube) -> Cube:
        """Make the fresh cube the current one. The replaced one must have no open snapshots."""
        ...

    def discard(self) -> None:
        """Remove a fresh cube that has not been installed."""
        ...

    def drop_replaced(self) -> None:
        """Remove replaced cubes once no snapshot can still read them."""
        ...

    def clear(self) -> None:
        """Remove the current cube; it can be rebuilt from the ledger."""
        ...

    def describe(self) -> str:
        """The engine and its version."""
        ...

    def close(self) -> None:
        """Close connections that are kept open for all cubes."""
        ...

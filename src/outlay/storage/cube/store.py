"""What every columnar engine must do for the cube."""

from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from outlay.domain.errors import Damaged
from outlay.domain.questions import Question
from outlay.storage.cube.aggregation import Deltas

A = TypeVar("A")


class CubeMismatch(Damaged):
    """What is there is not a cube of this ledger and version: it has to be rebuilt."""

    default_code = "cube-mismatch"


class CubeReader(Protocol):
    """One consistent snapshot of the cube."""

    @property
    def loaded_seq(self) -> int:
        """The ledger position that the snapshot covers."""
        ...

    def ask(self, question: Question[A]) -> A:
        """The answer of a question; whoever gets it must not change it."""
        ...


class Cube(Protocol):
    """The derived rollups: written by one thread, read by many, recreated at any time."""

    edition: str
    """The edition of the ledger that it was made of."""

    def read(self) -> AbstractContextManager[CubeReader]:
        """A snapshot."""
        ...

    def plan(self, from_seq: int, through_seq: int) -> int:
        """Where a load from a position is to end: there, or where an earlier attempt was to."""
        ...

    def load(self, deltas: Deltas, *, from_seq: int, through_seq: int) -> None:
        """Add the cells of events (from_seq, through_seq] and move the position, atomically."""
        ...

    def fold(self) -> None:
        """Move pending rows into the rollups."""
        ...

    def compact_one(self, before_bucket: int) -> bool:
        """Rewrite one changed month that ended before a bucket; whether there was one."""
        ...

    def close(self) -> None:
        """Release the files."""
        ...


class CubeHome(Protocol):
    """Where the cube of an installation stands, and room for a fresh one beside it."""

    @property
    def is_shared(self) -> bool:
        """Whether other nodes read and write the cube, too; one of them at a time loads it."""
        ...

    def open(self, edition: str) -> Cube:
        """The present cube, made if there is none.

        Raises CubeMismatch when it is of no use: damaged, of another version or, unless it is
        shared, of another edition.
        """
        ...

    def is_present(self, cube: Cube) -> bool:
        """Whether a cube has not been replaced, by whichever node."""
        ...

    def fresh(self, edition: str) -> Cube:
        """An empty cube beside the present one."""
        ...

    def install(self, fresh: Cube, present: Cube) -> Cube:
        """Put the fresh cube in the place of the present one, which nobody reads any more."""
        ...

    def discard(self) -> None:
        """Remove a fresh cube that did not get so far."""
        ...

    def drop_replaced(self) -> None:
        """Remove what was replaced so long ago that nobody reads it any more."""
        ...

    def clear(self) -> None:
        """Remove the present cube: the ledger can always make another."""
        ...

    def describe(self) -> str:
        """The engine and its version."""
        ...

    def close(self) -> None:
        """Release what is kept open beside the cubes."""
        ...

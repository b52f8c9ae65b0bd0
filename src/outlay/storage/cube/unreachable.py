"""The replacement for a shared cube that was unreachable when this node started."""

from collections.abc import Iterator
from contextlib import contextmanager

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Unavailable
from outlay.storage.cube.aggregation import Deltas
from outlay.storage.cube.store import CubeReader


class UnreachableCube:
    """Raises Unavailable; the node still relays and records, and retries to reach the cube."""

    edition = ""

    @contextmanager
    def read(self) -> Iterator[CubeReader]:
        """Raise Unavailable."""
        raise _unreachable()
        yield  # a context manager has to be a generator

    def plan(self, from_seq: int, through_seq: int) -> int:
        """Raise Unavailable."""
        raise _unreachable()

    def load(self, deltas: Deltas, *, from_seq: int, through_seq: int) -> None:
        """Raise Unavailable."""
        raise _unreachable()

    def fold(self) -> None:
        """Raise Unavailable."""
        raise _unreachable()

    def compact_one(self, before_bucket: int) -> bool:
        """Raise Unavailable."""
        raise _unreachable()

    def close(self) -> None:
        """Nothing to close."""


def _unreachable() -> Unavailable:
    return Unavailable(
        "The cube is unreachable. Usage is still recorded; try again later.",
        code=ErrorCode.CUBE_AWAY,
    )

"""What stands in the place of a shared cube that did not answer when this node started."""

from collections.abc import Iterator
from contextlib import contextmanager

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Unavailable
from outlay.storage.cube.aggregation import Deltas
from outlay.storage.cube.store import CubeReader


class AwayCube:
    """Answers nothing: the node relays and records all the same, and looks for the cube again."""

    edition = ""

    @contextmanager
    def read(self) -> Iterator[CubeReader]:
        """Raise Unavailable."""
        raise _away()
        yield

    def plan(self, from_seq: int, through_seq: int) -> int:
        """Raise Unavailable."""
        raise _away()

    def load(self, deltas: Deltas, *, from_seq: int, through_seq: int) -> None:
        """Raise Unavailable."""
        raise _away()

    def fold(self) -> None:
        """Raise Unavailable."""
        raise _away()

    def compact_one(self, before_bucket: int) -> bool:
        """Raise Unavailable."""
        raise _away()

    def close(self) -> None:
        """Nothing is open."""


def _away() -> Unavailable:
    return Unavailable(
        "the cube does not answer; nothing is lost meanwhile", code=ErrorCode.CUBE_AWAY
    )

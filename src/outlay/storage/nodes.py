"""What the processes of an installation agree on among themselves."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Nodes(Protocol):
    """Who does what only one may do. Thread-safe."""

    def lead(self) -> bool:
        """Whether this node does what only one may do, such as loading a shared cube.

        To be asked anew for each piece of work: who leads may lose it, and another takes over.
        """
        ...

    def alone(self, task: str) -> AbstractContextManager[None]:
        """Keep other nodes from the same task; Unavailable while one of them is at it."""
        ...

    def close(self) -> None:
        """Give up what only one may have."""
        ...


class OneNode:
    """The only one there is."""

    def lead(self) -> bool:
        """Nobody else could."""
        return True

    @contextmanager
    def alone(self, task: str) -> Iterator[None]:
        """Nobody else could."""
        yield

    def close(self) -> None:
        """There is nothing to give up."""

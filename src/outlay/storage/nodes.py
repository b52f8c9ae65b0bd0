"""Coordination between the processes of an installation."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Nodes(Protocol):
    """Leader election and exclusive tasks. Thread-safe."""

    def lead(self) -> bool:
        """Whether this node is the leader, which loads the shared cube.

        Call it again for each piece of work: leadership may be lost to another node.
        """
        ...

    def alone(self, task: str) -> AbstractContextManager[None]:
        """Run a task exclusively; Unavailable if another node is running it."""
        ...

    def close(self) -> None:
        """Release leadership and locks."""
        ...


class OneNode:
    """A single process, which is always the leader."""

    def lead(self) -> bool:
        """Always True."""
        return True

    @contextmanager
    def alone(self, task: str) -> Iterator[None]:
        """Nothing to exclude."""
        yield

    def close(self) -> None:
        """Nothing to release."""

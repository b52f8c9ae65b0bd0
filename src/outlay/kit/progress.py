"""How long work reports how far it is."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` units of a named piece of work."""

    what: str
    done: int
    total: int


Tell = Callable[[Progress], None]
"""Who is told; it may raise to end the work."""


def tell_nobody(progress: Progress) -> None:
    """For work that nobody follows."""

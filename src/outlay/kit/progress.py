"""Progress reports of long-running work."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` units of a named piece of work."""

    what: str
    done: int
    total: int


Tell = Callable[[Progress], None]
"""Receives progress reports; it may raise an exception to abort the work."""


def tell_nobody(progress: Progress) -> None:
    """Ignore progress reports."""

"""Spans of what the program does, for whoever collects them."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Final, Protocol

Attributes = Mapping[str, str | int | float | bool]

_NONE: Final[Attributes] = MappingProxyType({})


class Span(Protocol):
    """Something that takes time, under way."""

    def rename(self, name: str) -> None:
        """Give it a name that was not known when it began."""

    def set(self, attributes: Attributes) -> None:
        """Set attributes."""

    def fail(self, description: str) -> None:
        """Mark it as failed."""


class Tracer(Protocol):
    """Begins spans. Thread-safe."""

    def span(
        self, name: str, attributes: Attributes = _NONE, *, is_server: bool = False
    ) -> AbstractContextManager[Span]:
        """A span that ends with the context; one inside another of its thread is its child.

        An exception that leaves the context marks it as failed.
        """


def traced(
    tracer: Tracer | None, name: str, attributes: Attributes = _NONE
) -> AbstractContextManager[object]:
    """A span where there is a tracer."""
    return nullcontext() if tracer is None else tracer.span(name, attributes)

"""Trace spans of the program, independent of what collects them."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Final, Protocol

Attributes = Mapping[str, str | int | float | bool]

_NONE: Final[Attributes] = MappingProxyType({})


class Span(Protocol):
    """An operation in progress."""

    def rename(self, name: str) -> None:
        """Set a name that was not known at the start."""

    def set(self, attributes: Attributes) -> None:
        """Set attributes."""

    def fail(self, description: str) -> None:
        """Mark the span as failed."""


class Tracer(Protocol):
    """Starts spans. Thread-safe."""

    def span(
        self, name: str, attributes: Attributes = _NONE, *, is_server: bool = False
    ) -> AbstractContextManager[Span]:
        """A span that ends with the context; inside another span of its thread it is a child of
        that.

        An exception that leaves the context marks it as failed.
        """


def traced(
    tracer: Tracer | None, name: str, attributes: Attributes = _NONE
) -> AbstractContextManager[object]:
    """A span if there is a tracer."""
    return nullcontext() if tracer is None else tracer.span(name, attributes)

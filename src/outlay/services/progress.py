"""How long work reports how far it is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` units of a named piece of work."""

    what: str
    done: int
    total: int

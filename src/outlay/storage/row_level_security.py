"""The organization of the current unit of work, for row-level security.

Authentication enters the caller's organization. From then on, databases with row-level security
return nothing else for the request, even if a statement lacks a condition.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

EVERY_TENANT: Final = "*"
"""For work on the whole installation, instead of an organization."""


@dataclass(slots=True)
class _Work:
    """A unit of work; its threads share it."""

    tenant: str = EVERY_TENANT


_work: ContextVar[_Work | None] = ContextVar("work", default=None)


@contextmanager
def begin_work() -> Iterator[None]:
    """Begin a unit of work without an organization; what it enters holds until the block ends."""
    token = _work.set(_Work())
    try:
        yield
    finally:
        _work.reset(token)


def enter_tenant(organization_id: str) -> None:
    """Bind the current unit of work to an organization; outside of one this has no effect."""
    work = _work.get()
    if work is not None:
        work.tenant = organization_id


def entered_tenant() -> str:
    """The organization of the current unit of work, or EVERY_TENANT."""
    work = _work.get()
    return EVERY_TENANT if work is None else work.tenant

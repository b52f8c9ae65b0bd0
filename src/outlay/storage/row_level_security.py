"""Which organization the work under way is for: what the second wall between tenants goes by.

Whoever finds out on whose behalf a request is made enters their organization. From then on engines
with row-level policies show nothing else to that request, whatever a statement forgot to say.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

EVERY_TENANT: Final = "*"
"""What works for the whole installation, instead of for an organization."""


@dataclass(slots=True)
class _Work:
    """One piece of work; threads that it spreads over share it."""

    tenant: str = EVERY_TENANT


_work: ContextVar[_Work | None] = ContextVar("work", default=None)


@contextmanager
def begin_work() -> Iterator[None]:
    """A piece of work that is for nobody yet; what it enters holds until the block ends."""
    token = _work.set(_Work())
    try:
        yield
    finally:
        _work.reset(token)


def enter_tenant(organization_id: str) -> None:
    """Bind the work under way to an organization; outside of work there is nothing to bind."""
    work = _work.get()
    if work is not None:
        work.tenant = organization_id


def entered_tenant() -> str:
    """The organization that the work under way is for, or EVERY_TENANT."""
    work = _work.get()
    return EVERY_TENANT if work is None else work.tenant

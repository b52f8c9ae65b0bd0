"""`/api/v1/discovered`: projects, API keys, users and groups that are known from reports only."""

from typing import Annotated

from fastapi import Depends
from pydantic import StringConstraints
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.discovery import Discovered
from outlay.domain.errors import Invalid
from outlay.domain.policy import Permission
from outlay.web.api.models import Answer, Body, render_us
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.routes import Router

router = Router(prefix="/discovered", tags=["discovered"])

Reader = Annotated[Actor, Depends(Requires(Permission.DISCOVERED_READ))]
Writer = Annotated[Actor, Depends(Requires(Permission.DISCOVERED_WRITE))]

Text = Annotated[str, StringConstraints(max_length=256)]


class DiscoveredChange(Body):
    """The change: exactly one of the two fields."""

    name: Text | None = None
    merged_into: Text | None = None
    """The id to merge it into; empty to unmerge it."""


class DiscoveredAnswer(Answer):
    """A reported value that nobody has set up."""

    discovered_id: str
    dimension: Dimension
    value: str
    """The value in events and filters."""
    name: str
    source: str
    merged_into: str | None
    created_at: str | None


class DiscoveredList(Answer):
    """All discovered entities, merged or not."""

    discovered: list[DiscoveredAnswer]


def _render(entry: Discovered) -> DiscoveredAnswer:
    return DiscoveredAnswer(
        discovered_id=entry.discovered_id,
        dimension=entry.dimension,
        value=entry.value,
        name=entry.name,
        source=entry.source,
        merged_into=entry.merged_into or None,
        created_at=render_us(entry.created_at_us),
    )


@router.get("")
def get_discovered(request: Request, actor: Reader) -> DiscoveredList:
    """List the projects, API keys, users and groups that are known from reports only."""
    found = services_of(request).administration.discovered.list_for(actor)
    return DiscoveredList(discovered=[_render(entry) for entry in found])


@router.patch("/{discovered_id}")
def patch_discovered(
    request: Request, discovered_id: str, body: DiscoveredChange, actor: Writer
) -> DiscoveredAnswer:
    """Rename an entity or merge it into another one, including its history. No total changes."""
    discovered = services_of(request).administration.discovered
    if (body.name is None) == (body.merged_into is None):
        raise Invalid("Set either `name` or `mergedInto`, not both.", field="name")
    if body.name is not None:
        return _render(discovered.rename(actor, discovered_id, body.name))
    return _render(discovered.merge(actor, discovered_id, body.merged_into or ""))

"""`/api/v1/tags`: registered tags."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.policy import Permission
from outlay.domain.tag import TagKey
from outlay.web.api.models import Answer, Body, render_us
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.routes import Router

router = Router(prefix="/tags", tags=["tags"])

Reader = Annotated[Actor, Depends(Requires(Permission.TAGS_READ))]
Writer = Annotated[Actor, Depends(Requires(Permission.TAGS_WRITE))]


class TagBody(Body):
    """A tag to register."""

    key: str


class TagAnswer(Answer):
    """A registered tag."""

    key: str
    created_at: str | None


class TagList(Answer):
    """Registered tags by name."""

    tags: list[TagAnswer]


def _render(tag: TagKey) -> TagAnswer:
    return TagAnswer(key=tag.key, created_at=render_us(tag.created_at_us))


@router.get("")
def get_tags(request: Request, actor: Reader) -> TagList:
    """List the registered tags, by which requests can be grouped and filtered."""
    found = services_of(request).administration.tags.list_for(actor)
    return TagList(tags=[_render(tag) for tag in found])


@router.post("", status_code=201)
def post_tag(request: Request, body: TagBody, actor: Writer) -> TagAnswer:
    """Register a tag: its values are stored with new requests."""
    return _render(services_of(request).administration.tags.add(actor, body.key))


@router.delete("/{key}", status_code=204)
def delete_tag(request: Request, key: str, actor: Writer) -> None:
    """Unregister a tag: its values are no longer stored. Recorded requests keep theirs."""
    services_of(request).administration.tags.remove(actor, key)

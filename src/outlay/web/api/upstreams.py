"""`/api/v1/upstreams` and `/api/v1/model-mappings`: where requests are sent."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.ids import UpstreamId
from outlay.domain.policy import Permission
from outlay.domain.upstream import ModelMapping, Upstream
from outlay.web.api.models import Answer, Body, given
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.params import check_names
from outlay.web.http.routes import Router

router = Router(tags=["upstreams"])

Reader = Annotated[Actor, Depends(Requires(Permission.UPSTREAMS_READ))]
Writer = Annotated[Actor, Depends(Requires(Permission.UPSTREAMS_WRITE))]


class UpstreamBody(Body):
    """An upstream to be; name and address default to the provider's."""

    provider: str
    name: str | None = None
    base_url: str | None = None
    secret: str | None = None
    asks_usage: bool = True
    """Whether streams are asked for their usage with `stream_options`."""


class UpstreamChange(Body):
    """What is to be different; another address needs the secret again."""

    name: str | None = None
    base_url: str | None = None
    secret: str | None = None
    asks_usage: bool | None = None


class UpstreamAnswer(Answer):
    """An upstream, without its secret."""

    upstream_id: UpstreamId
    name: str
    provider: str
    base_url: str
    hint: str
    asks_usage: bool


class UpstreamList(Answer):
    """Upstreams, oldest first."""

    upstreams: list[UpstreamAnswer]


class MappingBody(Body):
    """What the name stands for."""

    name: str
    upstream_id: UpstreamId
    model: str


class MappingAnswer(Answer):
    """A name of the organization's own for a model of an upstream."""

    name: str
    upstream_id: UpstreamId
    model: str


class MappingList(Answer):
    """Model mappings by name."""

    mappings: list[MappingAnswer]


def _render(upstream: Upstream) -> UpstreamAnswer:
    return UpstreamAnswer(
        upstream_id=upstream.upstream_id,
        name=upstream.name,
        provider=upstream.provider,
        base_url=upstream.base_url,
        hint=upstream.hint,
        asks_usage=upstream.asks_usage,
    )


def _render_mapping(mapping: ModelMapping) -> MappingAnswer:
    return MappingAnswer(name=mapping.name, upstream_id=mapping.upstream_id, model=mapping.model)


@router.get("/upstreams")
def get_upstreams(request: Request, actor: Reader) -> UpstreamList:
    """The upstreams of the organization."""
    found = services_of(request).administration.upstreams.list_for(actor)
    return UpstreamList(upstreams=[_render(upstream) for upstream in found])


@router.post("/upstreams", status_code=201)
def post_upstream(request: Request, body: UpstreamBody, actor: Writer) -> UpstreamAnswer:
    """A new upstream; its secret goes in here and never comes out."""
    return _render(
        services_of(request).administration.upstreams.create(
            actor,
            provider=body.provider,
            name=body.name,
            base_url=body.base_url,
            secret=body.secret,
            asks_usage=body.asks_usage,
        )
    )


@router.patch("/upstreams/{upstream_id}")
def patch_upstream(
    request: Request, upstream_id: UpstreamId, body: UpstreamChange, actor: Writer
) -> UpstreamAnswer:
    """Change name, address or secret of an upstream."""
    upstreams = services_of(request).administration.upstreams
    return _render(upstreams.update(actor, upstream_id, **given(body)))


@router.delete("/upstreams/{upstream_id}", status_code=204)
def delete_upstream(request: Request, upstream_id: UpstreamId, actor: Writer) -> None:
    """Stop using an upstream, its model mappings included, and forget its secret."""
    services_of(request).administration.upstreams.delete(actor, upstream_id)


@router.get("/model-mappings")
def get_mappings(request: Request, actor: Reader) -> MappingList:
    """The organization's own names for models."""
    found = services_of(request).administration.upstreams.mappings_of(actor)
    return MappingList(mappings=[_render_mapping(mapping) for mapping in found])


@router.put("/model-mappings")
def put_mapping(request: Request, body: MappingBody, actor: Writer) -> MappingAnswer:
    """Give a model a name, or another meaning to the name."""
    return _render_mapping(
        services_of(request).administration.upstreams.put_mapping(
            actor, name=body.name, upstream_id=body.upstream_id, model=body.model
        )
    )


@router.delete("/model-mappings", status_code=204)
def delete_mapping(request: Request, name: str, actor: Writer) -> None:
    """Remove a name."""
    check_names(request.query_params, frozenset({"name"}), frozenset({"name"}))
    services_of(request).administration.upstreams.delete_mapping(actor, name)

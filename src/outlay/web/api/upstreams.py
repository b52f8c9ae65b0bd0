"""`/api/v1/upstreams` and `/api/v1/model-mappings`: provider connections and model mappings."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.ids import UpstreamId
from outlay.domain.policy import Permission
from outlay.domain.upstream import ModelMapping, Upstream
from outlay.web.api.models import Answer, Body, given
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.query_strings import check_names
from outlay.web.http.routes import Router

router = Router(tags=["upstreams"])

Reader = Annotated[Actor, Depends(Requires(Permission.UPSTREAMS_READ))]
Writer = Annotated[Actor, Depends(Requires(Permission.UPSTREAMS_WRITE))]


class UpstreamBody(Body):
    """A new upstream; name and address default to the provider's."""

    provider: str
    name: str | None = None
    base_url: str | None = None
    secret: str | None = None
    asks_usage: bool = True
    """Whether the usage of streams is requested with `stream_options`."""


class UpstreamChange(Body):
    """The fields to change; a new address requires the secret again."""

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
    """The model that a name maps to."""

    name: str
    upstream_id: UpstreamId
    model: str


class MappingAnswer(Answer):
    """The organization's own name for a model of an upstream."""

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
    """List the upstreams of the organization."""
    found = services_of(request).administration.upstreams.list_for(actor)
    return UpstreamList(upstreams=[_render(upstream) for upstream in found])


@router.post("/upstreams", status_code=201)
def post_upstream(request: Request, body: UpstreamBody, actor: Writer) -> UpstreamAnswer:
    """Create an upstream. Its secret is never returned."""
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
    """Change the name, address or secret of an upstream."""
    upstreams = services_of(request).administration.upstreams
    return _render(upstreams.update(actor, upstream_id, **given(body)))


@router.delete("/upstreams/{upstream_id}", status_code=204)
def delete_upstream(request: Request, upstream_id: UpstreamId, actor: Writer) -> None:
    """Delete an upstream with its model mappings and its secret."""
    services_of(request).administration.upstreams.delete(actor, upstream_id)


@router.get("/model-mappings")
def get_mappings(request: Request, actor: Reader) -> MappingList:
    """List the organization's own names for models."""
    found = services_of(request).administration.upstreams.mappings_of(actor)
    return MappingList(mappings=[_render_mapping(mapping) for mapping in found])


@router.put("/model-mappings")
def put_mapping(request: Request, body: MappingBody, actor: Writer) -> MappingAnswer:
    """Map a name to a model, or change its mapping."""
    return _render_mapping(
        services_of(request).administration.upstreams.put_mapping(
            actor, name=body.name, upstream_id=body.upstream_id, model=body.model
        )
    )


@router.delete("/model-mappings", status_code=204)
def delete_mapping(request: Request, name: str, actor: Writer) -> None:
    """Delete a name."""
    check_names(request.query_params, frozenset({"name"}), frozenset({"name"}))
    services_of(request).administration.upstreams.delete_mapping(actor, name)

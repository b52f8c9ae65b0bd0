"""`/api/v1/sso`: the identity provider of an organization."""

from typing import Annotated

from fastapi import Depends
from pydantic import Field
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.errors import NotFound
from outlay.domain.policy import Permission
from outlay.domain.sso import SingleSignOn
from outlay.services.access.sso import callback_of
from outlay.web.api.models import Answer, Body
from outlay.web.http.auth import Requires, base_url, services_of
from outlay.web.http.routes import Router

router = Router(prefix="/sso", tags=["single sign-on"])


class SsoBody(Body):
    """The OpenID Connect provider; without a secret, the stored one is kept."""

    issuer: str
    client_id: str
    secret: str | None = None
    domains: list[str] = Field(default_factory=list)
    group_claim: str = "groups"
    groups: dict[str, str] = Field(default_factory=dict)


class SsoAnswer(Answer):
    """The OpenID Connect provider, without the client's secret."""

    issuer: str
    client_id: str
    domains: list[str]
    group_claim: str
    groups: dict[str, str]
    redirect_uri: str
    """The redirect URI to register at the provider; different for each organization."""


def _render(sso: SingleSignOn, request: Request) -> SsoAnswer:
    return SsoAnswer(
        issuer=sso.issuer,
        client_id=sso.client_id,
        domains=list(sso.domains),
        group_claim=sso.group_claim,
        groups=dict(sso.groups),
        redirect_uri=base_url(request) + callback_of(sso.organization_id),
    )


@router.get("")
def get_sso(
    request: Request, actor: Annotated[Actor, Depends(Requires(Permission.SSO_READ))]
) -> SsoAnswer:
    """The identity provider of the organization."""
    sso = services_of(request).administration.sso.find(actor)
    if sso is None:
        raise NotFound("Single sign-on is not configured.")
    return _render(sso, request)


@router.put("")
def put_sso(
    request: Request,
    body: SsoBody,
    actor: Annotated[Actor, Depends(Requires(Permission.SSO_WRITE))],
) -> SsoAnswer:
    """Set the identity provider of the organization."""
    sso = services_of(request).administration.sso.put(
        actor,
        issuer=body.issuer,
        client_id=body.client_id,
        secret=body.secret,
        domains=body.domains,
        group_claim=body.group_claim,
        groups=body.groups,
    )
    return _render(sso, request)


@router.delete("", status_code=204)
def delete_sso(
    request: Request, actor: Annotated[Actor, Depends(Requires(Permission.SSO_WRITE))]
) -> None:
    """Turn single sign-on off: only passwords remain."""
    services_of(request).administration.sso.delete(actor)

"""`/api/v1/organization`: the properties and the plan of an organization."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from outlay.domain.actor import Actor, Plan
from outlay.domain.organization import Organization
from outlay.domain.policy import Permission
from outlay.web.api.models import Answer, Body, given
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.routes import Router

router = Router(prefix="/organization", tags=["organization"])


class OrganizationAnswer(Answer):
    """An organization."""

    organization_id: str
    name: str
    slug: str
    plan: Plan
    timezone: str


class OrganizationChange(Body):
    """The fields to change. Only the operator of the installation sets the plan."""

    name: str | None = None
    slug: str | None = None
    timezone: str | None = None


def render_organization(organization: Organization) -> OrganizationAnswer:
    """The answer for an organization."""
    return OrganizationAnswer(
        organization_id=organization.organization_id,
        name=organization.name,
        slug=organization.slug,
        plan=organization.plan,
        timezone=organization.timezone,
    )


@router.get("")
def get_organization(
    request: Request, actor: Annotated[Actor, Depends(Requires(Permission.ORGANIZATION_READ))]
) -> OrganizationAnswer:
    """The caller's organization."""
    return render_organization(
        services_of(request).administration.organizations.organization_of(actor)
    )


@router.patch("")
def patch_organization(
    request: Request,
    body: OrganizationChange,
    actor: Annotated[Actor, Depends(Requires(Permission.ORGANIZATION_WRITE))],
) -> OrganizationAnswer:
    """Change the name, slug or time zone."""
    organizations = services_of(request).administration.organizations
    return render_organization(organizations.update(actor, **given(body)))

"""Organization analytics: the spend of the whole organization, its parts, and what changed."""

from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.policy import Permission
from outlay.web.dashboard.page_query import page_params, page_query
from outlay.web.dashboard.parts.frame import NAMES, PAGE_ONLY
from outlay.web.dashboard.parts.usage import Crumb, Subject, render_usage
from outlay.web.http.auth import OnPage
from outlay.web.http.routes import Router
from outlay.web.http.usage_params import QUERY

router = Router(include_in_schema=False)

ORGANIZATION: Final = Subject(
    title="Organization analytics",
    crumbs=(Crumb("Organization"),),
    lede="Cost, requests and tokens across every project, exact in any time zone.",
    export="/api/v1/exports/activity.csv",
    ranking="/organization/ranking",
    filters=NAMES,
)


@router.get("/organization/analytics")
def get_organization_analytics(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.ORGANIZATION_USAGE))]
) -> Response:
    """Render the organization's analytics."""
    params = page_params(request, QUERY | PAGE_ONLY)
    query = page_query(request, params, actor)
    return render_usage(request, actor, query, ORGANIZATION)

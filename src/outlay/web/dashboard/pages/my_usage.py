"""My usage: the usage attributed to the actor."""

from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.policy import Permission
from outlay.services.analytics.own_usage import own_usage_only
from outlay.web.dashboard.page_query import page_params, page_query
from outlay.web.dashboard.parts.frame import NAMES, PAGE_ONLY
from outlay.web.dashboard.parts.usage import WITH_KINDS, Crumb, Subject, render_usage
from outlay.web.http.auth import OnPage
from outlay.web.http.routes import Router
from outlay.web.http.usage_params import OWN_QUERY

router = Router(include_in_schema=False)

ME: Final = Subject(
    title="My usage",
    crumbs=(Crumb("Monitoring"),),
    lede="What your own requests cost, by model, project and key.",
    export="/api/v1/exports/me.csv",
    ranking="/me/ranking",
    groupings={
        dimension: title
        for dimension, title in WITH_KINDS.items()
        if dimension not in {Dimension.USER, Dimension.GROUP}
    },
    filters={name: noun for name, noun in NAMES.items() if name not in {"userId", "groupId"}},
)


@router.get("/me/usage")
def get_my_usage(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.OWN_USAGE))]
) -> Response:
    """Render the actor's own usage."""
    params = page_params(request, OWN_QUERY | PAGE_ONLY)
    query = own_usage_only(actor, page_query(request, params, actor))
    return render_usage(request, actor, query, ME)

"""The usage of one user: a member, or a user known only from reports."""

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.errors import Invalid, NotFound
from outlay.domain.ids import MemberId
from outlay.domain.organization import Member
from outlay.domain.policy import Permission
from outlay.services.bundle import Services
from outlay.web.dashboard.page_query import page_params, page_query
from outlay.web.dashboard.parts.frame import PAGE_ONLY, filters_for
from outlay.web.dashboard.parts.usage import (
    Crumb,
    Subject,
    models_context,
)
from outlay.web.dashboard.templating import render_page
from outlay.web.http.auth import OnPage, services_of
from outlay.web.http.query_strings import read_text
from outlay.web.http.routes import Router
from outlay.web.http.usage_params import COMMON

router = Router(prefix="/monitoring/users/user", include_in_schema=False)

PARAMETERS: Final = COMMON | {"bucket"} | PAGE_ONLY


@router.get("")
def get_user(
    request: Request, actor: Annotated[Actor, Depends(OnPage(Permission.ORGANIZATION_USAGE))]
) -> Response:
    """Render the usage of the user in `userId`."""
    services = services_of(request)
    params = page_params(request, PARAMETERS)
    user_id = read_text(params, "userId")
    if not user_id:
        raise Invalid("`userId` is required.", field="userId")
    query = page_query(request, params, actor)
    query = query.only(Dimension.USER, user_id)
    with services.analytics.read() as reader:
        context = models_context(request, reader, query, filters=filters_for(actor, "userId"))
    labels = services.analytics.labels(actor.organization_id, Dimension.USER)
    subject = Subject(
        title=labels.get(user_id, user_id),
        crumbs=(Crumb("Monitoring"), Crumb("Users analytics", "/monitoring/users")),
        lede="",
        export=f"/api/v1/exports/report?{urlencode({'groupBy': 'model,project,apiKey'})}",
        ranking="/organization/ranking",
        groupings={},
    )
    links = context["links"]
    # The user of the page is not a filter that could be removed.
    context["chips"] = [chip for chip in context["chips"] if chip.name != "userId"]
    context["filter_params"] = [name for name in context["filter_params"] if name != "userId"]
    member = _member(services, actor, user_id)
    return render_page(
        request,
        "user.html",
        actor=actor,
        title=f"{subject.title} · User",
        subject=subject,
        user_id=user_id,
        member=member,
        member_path=links.travel(f"/organization/members/{user_id}") if member else "",
        requests_path=links.travel("/monitoring/requests", userId=user_id),
        filter_scope=urlencode({"userId": user_id}),
        **context,
    )


def _member(services: Services, actor: Actor, user_id: str) -> Member | None:
    """The member for a user; None if the user is known only from reports."""
    try:
        return services.usage_tables.member(actor.organization_id, MemberId(user_id))
    except NotFound:
        return None

"""The usage of one API key: one of a project, or a discovered one."""

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.errors import NotFound
from outlay.domain.organization import ApiKey, Project
from outlay.domain.policy import Permission, has
from outlay.domain.query import UsageQuery
from outlay.services.analytics.labels import mark_deleted
from outlay.services.analytics.own_usage import own_keys_only
from outlay.web.dashboard.page_query import page_params, page_query
from outlay.web.dashboard.pages.project import read_project, remember
from outlay.web.dashboard.parts.frame import PAGE_ONLY, filters_for
from outlay.web.dashboard.parts.usage import (
    Crumb,
    Subject,
    models_context,
)
from outlay.web.dashboard.places import project_path
from outlay.web.dashboard.templating import render_page
from outlay.web.http.auth import OnPage, services_of
from outlay.web.http.routes import Router
from outlay.web.http.usage_params import COMMON

router = Router(include_in_schema=False)

PARAMETERS: Final = (COMMON | {"bucket"} | PAGE_ONLY) - {"apiKeyId"}

KeyReader = Annotated[Actor, Depends(OnPage(Permission.KEY_USAGE))]


@router.get("/project/{project_id}/keys/{api_key_id}")
def get_key_of_project(
    request: Request, project_id: str, api_key_id: str, actor: KeyReader
) -> Response:
    """One key of a project, including deleted ones."""
    project, query = read_project(request, project_id, actor)
    key = _find(request, actor, api_key_id)
    if key.project_id != project.project_id:
        raise NotFound("There is no such API key.")
    crumbs = (
        Crumb(mark_deleted(project.name, project), project_path(project)),
        Crumb("API keys", f"{project_path(project)}/keys"),
    )
    page = _render(
        request,
        actor,
        key,
        query,
        crumbs,
        filters=("projectId", "apiKeyId"),
        ranking=f"{project_path(project)}/ranking?{urlencode({'apiKeyId': key.api_key_id})}",
    )
    return remember(request, project, page)


@router.get("/key/{api_key_id}")
def get_key(request: Request, api_key_id: str, actor: KeyReader) -> Response:
    """One key, regardless of the project."""
    params = page_params(request, PARAMETERS)
    key = _find(request, actor, api_key_id)
    query = page_query(request, params, actor)
    query = own_keys_only(actor, query, Permission.KEY_USAGE)
    crumbs = tuple(_crumbs_of(request, actor, query))
    ranking = ""
    if has(actor, Permission.ORGANIZATION_USAGE):
        ranking = f"/organization/ranking?{urlencode({'apiKeyId': key.api_key_id})}"
    return _render(request, actor, key, query, crumbs, filters=("apiKeyId",), ranking=ranking)


def _find(request: Request, actor: Actor, called: str) -> ApiKey:
    return services_of(request).usage_tables.key(actor, called)


def _crumbs_of(request: Request, actor: Actor, query: UsageQuery) -> list[Crumb]:
    """The project that the page is filtered by, if it is one: the list that links here."""
    wanted = query.filters.get(Dimension.PROJECT, ())
    if len(wanted) != 1:
        return [Crumb("API keys", "/settings/keys")]
    try:
        project: Project = services_of(request).usage_tables.project(actor, wanted[0])
    except NotFound:
        return [Crumb("API keys", "/settings/keys")]
    path = project_path(project)
    return [Crumb(mark_deleted(project.name, project), path), Crumb("API keys", f"{path}/keys")]


def _render(
    request: Request,
    actor: Actor,
    key: ApiKey,
    query: UsageQuery,
    crumbs: tuple[Crumb, ...],
    *,
    filters: tuple[str, ...],
    ranking: str = "",
) -> Response:
    """Render a key's usage; `filters` are hidden, `ranking` links to the complete ranking."""
    services = services_of(request)
    query = query.only(Dimension.API_KEY, key.api_key_id)
    with services.analytics.read() as reader:
        context = models_context(request, reader, query, filters=filters_for(actor, *filters))
    subject = Subject(
        title=mark_deleted(key.description, key),
        crumbs=crumbs,
        lede="",
        export=f"/api/v1/exports/keys/{key.discovered_id or key.api_key_id}.csv",
        ranking=ranking,
        groupings={},
    )
    creators = services.analytics.labels(actor.organization_id, Dimension.MEMBER)
    return render_page(
        request,
        "key_statistics.html",
        actor=actor,
        title=f"{subject.title} · API key",
        subject=subject,
        key=key,
        key_status="deleted" if key.is_deleted else key.status_at(services.now_us()),
        creator=creators.get(key.member_id, "an unknown member"),
        requests_path=context["links"].travel("/monitoring/requests", apiKeyId=key.api_key_id),
        filter_scope=urlencode({"apiKeyId": key.api_key_id}),
        **context,
    )

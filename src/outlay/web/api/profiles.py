"""`/analytics/members/{userId}`, `/analytics/keys/{keyId}`, `/analytics/projects/{projectId}`."""

from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.answers import Entry
from outlay.domain.dimension import Dimension
from outlay.domain.ids import ApiKeyId, MemberId, ProjectId
from outlay.domain.policy import Permission
from outlay.domain.query import UsageQuery
from outlay.services.analytics.labels import mark_deleted
from outlay.services.analytics.own_usage import own_keys_only
from outlay.services.analytics.profiles import read_profile
from outlay.web.api.usage_tables import render_member
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.params import AS_JSON, COMMON, check_names, read_query
from outlay.web.http.query_parameters import documented
from outlay.web.http.rendering import (
    Json,
    json_answer,
    render_activity,
    render_entry,
    render_summary,
)
from outlay.web.http.routes import Router

router = Router(prefix="/analytics", tags=["analytics"])

PROFILE: Final = COMMON | AS_JSON | {"bucket"}
KeyReader = Annotated[Actor, Depends(Requires(Permission.KEY_USAGE))]
ProjectReader = Annotated[Actor, Depends(Requires(Permission.PROJECT_USAGE))]
OrganizationReader = Annotated[Actor, Depends(Requires(Permission.ORGANIZATION_USAGE))]


@router.get("/members/{user_id}", openapi_extra=documented(PROFILE))
def get_member(request: Request, user_id: str, actor: OrganizationReader) -> Response:
    """One member, present or former: what was put down to them, and where it went."""
    services = services_of(request)
    query = _read(request, actor, Dimension.MEMBER, user_id)
    member = services.usage_tables.member(actor.organization_id, MemberId(user_id))
    return _profile(request, query, {"member": render_member(user_id, member.name, member)})


@router.get("/keys/{api_key_id}", openapi_extra=documented(PROFILE))
def get_key(request: Request, api_key_id: ApiKeyId, actor: KeyReader) -> Response:
    """One API key, also a deleted one; for developers one of their own."""
    services = services_of(request)
    key = services.usage_tables.key(actor, api_key_id)
    query = _read(request, actor, Dimension.API_KEY, key.api_key_id)
    return _profile(
        request,
        query,
        {
            "apiKey": {
                "apiKeyId": key.api_key_id,
                "description": key.description,
                "label": mark_deleted(key.description, key),
                "projectId": key.project_id,
                "userId": key.member_id,
                "status": key.status_at(services.now_us()),
                "isDeleted": key.is_deleted,
            }
        },
    )


@router.get("/projects/{project_id}", openapi_extra=documented(PROFILE))
def get_project(request: Request, project_id: ProjectId, actor: ProjectReader) -> Response:
    """One project, also a deleted one; for developers the usage of their own keys in it."""
    services = services_of(request)
    project = services.usage_tables.project(actor, project_id)
    query = own_keys_only(
        actor,
        _read(request, actor, Dimension.PROJECT, project.project_id),
        Permission.PROJECT_USAGE,
    )
    return _profile(
        request,
        query,
        {
            "project": {
                "projectId": project.project_id,
                "name": project.name,
                "label": mark_deleted(project.name, project),
                "isDeleted": project.is_deleted,
            }
        },
    )


def _read(request: Request, actor: Actor, dimension: Dimension, value: str) -> UsageQuery:
    """The question of a query string about one value, beside whatever else it filters by."""
    check_names(request.query_params, PROFILE)
    query = read_query(request.query_params, actor, services_of(request).analytics)
    return query.only(dimension, value)


def _profile(request: Request, query: UsageQuery, subject: Json) -> Response:
    services = services_of(request)
    freshness = services.analytics.freshness()
    profile = read_profile(services.analytics, query)
    activity = render_activity(query, profile.activity, freshness)
    return json_answer(
        request,
        {
            **subject,
            "summary": render_summary(profile.total, profile.latency),
            "mostUsed": {
                dimension.value: entry and render_entry(entry)
                for dimension, entry in profile.most_used.items()
            },
            "costByModel": _entries(profile.top[Dimension.MODEL]),
            "topProviders": _entries(profile.top[Dimension.PROVIDER]),
            "topApps": _entries(profile.top[Dimension.APP]),
            **activity,
        },
    )


def _entries(entries: tuple[Entry, ...]) -> list[Json]:
    return [render_entry(entry) for entry in entries]

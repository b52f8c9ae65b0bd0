"""`/analytics/members/{userId}`, `/analytics/keys/{keyId}`, `/analytics/projects/{projectId}`."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.answers import Entry as ResultEntry
from outlay.domain.dimension import Dimension
from outlay.domain.ids import ApiKeyId, MemberId, ProjectId
from outlay.domain.policy import Permission
from outlay.domain.query import UsageQuery
from outlay.services.analytics.labels import mark_deleted
from outlay.services.analytics.own_usage import own_keys_only
from outlay.services.analytics.profiles import read_profile
from outlay.services.bundle import Services
from outlay.web.api.usage_tables import person_fields
from outlay.web.http.answers.activity import Entry
from outlay.web.http.answers.profiles import (
    KeyHead,
    KeyProfile,
    MemberProfile,
    MostUsed,
    ProjectHead,
    ProjectProfile,
)
from outlay.web.http.answers.tables import Person
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.rendering import (
    activity_fields,
    render_entry,
    render_summary,
)
from outlay.web.http.routes import Router
from outlay.web.http.usage_params import (
    COMPARISON,
    MoneyParams,
    UsageParams,
)

router = Router(prefix="/analytics", tags=["analytics"])

KeyReader = Annotated[Actor, Depends(Requires(Permission.KEY_USAGE))]
ProjectReader = Annotated[Actor, Depends(Requires(Permission.PROJECT_USAGE))]
OrganizationReader = Annotated[Actor, Depends(Requires(Permission.ORGANIZATION_USAGE))]


@dataclass(frozen=True, kw_only=True)
class ProfileParams(UsageParams, MoneyParams, without=(*COMPARISON, "group_by", "top", "rank_by")):
    """Usage over time."""


Asked = Annotated[ProfileParams, Depends(ProfileParams.of)]


@router.get("/members/{user_id}")
def get_member(
    request: Request, user_id: str, actor: OrganizationReader, asked: Asked
) -> MemberProfile:
    """The usage of one current or former member, by their API keys."""
    services = services_of(request)
    query = _read(services, actor, asked, Dimension.MEMBER, user_id)
    member = services.usage_tables.member(actor.organization_id, MemberId(user_id))
    return MemberProfile(
        member=Person(**person_fields(user_id, member.name, member)), **_profile(services, query)
    )


@router.get("/keys/{api_key_id}")
def get_key(request: Request, api_key_id: ApiKeyId, actor: KeyReader, asked: Asked) -> KeyProfile:
    """The usage of one API key, including deleted ones; for developers, one of their own."""
    services = services_of(request)
    key = services.usage_tables.key(actor, api_key_id)
    query = _read(services, actor, asked, Dimension.API_KEY, key.api_key_id)
    head = KeyHead(
        api_key_id=key.api_key_id,
        description=key.description,
        label=mark_deleted(key.description, key),
        project_id=key.project_id,
        user_id=key.member_id,
        status=key.status_at(services.now_us()),
        is_deleted=key.is_deleted,
    )
    return KeyProfile(api_key=head, **_profile(services, query))


@router.get("/projects/{project_id}")
def get_project(
    request: Request, project_id: ProjectId, actor: ProjectReader, asked: Asked
) -> ProjectProfile:
    """The usage of one project, including deleted ones; for developers, the usage of their own keys
    in it."""
    services = services_of(request)
    project = services.usage_tables.project(actor, project_id)
    query = own_keys_only(
        actor,
        _read(services, actor, asked, Dimension.PROJECT, project.project_id),
        Permission.PROJECT_USAGE,
    )
    head = ProjectHead(
        project_id=project.project_id,
        name=project.name,
        label=mark_deleted(project.name, project),
        is_deleted=project.is_deleted,
    )
    return ProjectProfile(project=head, **_profile(services, query))


def _read(
    services: Services, actor: Actor, asked: ProfileParams, dimension: Dimension, value: str
) -> UsageQuery:
    """The question about one value, with its other filters."""
    query = asked.query(actor, services.analytics, group_by=Dimension.MODEL)
    return query.only(dimension, value)


def _profile(services: Services, query: UsageQuery) -> dict[str, Any]:
    """The fields of a Profile."""
    freshness = services.analytics.freshness()
    profile = read_profile(services.analytics, query)
    used = {
        dimension.value: render_entry(entry) if entry else None
        for dimension, entry in profile.most_used.items()
    }
    return {
        "summary": render_summary(profile.total, profile.latency),
        "most_used": MostUsed(**used),
        "cost_by_model": _entries(profile.top[Dimension.MODEL]),
        "top_providers": _entries(profile.top[Dimension.PROVIDER]),
        "top_apps": _entries(profile.top[Dimension.APP]),
        **activity_fields(query, profile.activity, freshness),
    }


def _entries(entries: tuple[ResultEntry, ...]) -> list[Entry]:
    return [render_entry(entry) for entry in entries]

"""Where one may jump to by name: pages, projects, API keys, members, user groups."""

from collections.abc import Iterator
from typing import Annotated, Final, NamedTuple

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.policy import Permission, has
from outlay.services.bundle import Services
from outlay.web.dashboard.navigation import SETTINGS
from outlay.web.dashboard.shell import shell_of
from outlay.web.http.auth import SignedIn, services_of
from outlay.web.http.params import check_names, read_text
from outlay.web.http.rendering import json_answer
from outlay.web.http.routes import Router

router = Router(include_in_schema=False)

MOST: Final = 20


class Place(NamedTuple):
    """Somewhere to go."""

    title: str
    kind: str
    path: str
    also: str = ""
    """What it is found by, too."""


@router.get("/palette.json")
def get_palette(request: Request, actor: Annotated[Actor, Depends(SignedIn())]) -> Response:
    """Places whose name contains `q`, those that begin with it first; pages without it."""
    check_names(request.query_params, frozenset({"q"}))
    wanted = (read_text(request.query_params, "q") or "").casefold().strip()
    places = [*_pages(request, actor)]
    if wanted:
        places += _things(services_of(request), actor)
    found = [
        (not place.title.casefold().startswith(wanted), index, place)
        for index, place in enumerate(places)
        if wanted in f"{place.title}\n{place.also}".casefold()
    ]
    return json_answer(
        request,
        {
            "items": [
                {"title": place.title, "kind": place.kind, "path": place.path}
                for _, _, place in sorted(found, key=lambda item: item[:2])[:MOST]
            ]
        },
    )


def _pages(request: Request, actor: Actor) -> Iterator[Place]:
    for section in shell_of(request, actor).sections:
        for item in section.items:
            yield Place(item.title, section.title, item.path, section.title)
    for item in SETTINGS:
        if item.permission is None or has(actor, item.permission):
            yield Place(item.title, "Settings", item.path, "settings")


def _things(services: Services, actor: Actor) -> Iterator[Place]:
    """What the actor may look at; developers have to do with their own keys alone."""
    administration = services.administration
    for project in administration.projects.of(actor):
        yield Place(project.name, "Project", f"/project/{project.project_id}")
    for key in administration.keys.of(actor):
        path = f"/project/{key.project_id}/keys/{key.api_key_id}"
        yield Place(key.description, "API key", path, key.hint)
    if not has(actor, Permission.ORGANIZATION_USAGE):
        return
    for member in administration.members.of(actor):
        path = f"/organization/members/{member.member_id}"
        yield Place(member.name, "Member", path, member.email)
    for group in administration.groups.of(actor):
        path = f"/organization/users-and-groups?groupId={group.group_id}"
        yield Place(group.name, "User group", path)

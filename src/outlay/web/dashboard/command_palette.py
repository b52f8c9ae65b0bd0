"""Search of pages, projects, API keys, people, groups, models and apps by name."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Annotated, Final, NamedTuple, TypedDict

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.period import Preset
from outlay.domain.policy import Lack, Permission, has
from outlay.domain.query import CORE_MEASURES, UsageQuery
from outlay.services.analytics.breakdowns import by_value
from outlay.services.bundle import Services
from outlay.web.dashboard.links import Links
from outlay.web.dashboard.navigation import SETTINGS, NavItem, is_listed, lock_of
from outlay.web.dashboard.places import key_path, project_path, user_path
from outlay.web.dashboard.shell import shell_of
from outlay.web.http.auth import SignedIn, services_of
from outlay.web.http.query_strings import check_names, read_text
from outlay.web.http.rendering import json_answer
from outlay.web.http.routes import Router

router = Router(include_in_schema=False)

MOST: Final = 20

LOCKS: Final = {Lack.PLAN: "Enterprise", Lack.ROLE: "Admins only"}


class Place(NamedTuple):
    """A search result."""

    title: str
    kind: str
    """What it is, and what distinguishes it from others with the same name."""
    path: str
    also: str = ""
    """Further texts that it is found by."""
    lock: str = ""
    """What is needed to open it, if the actor lacks that."""


class PaletteItem(TypedDict):
    """A search result in the command palette."""

    title: str
    kind: str
    path: str
    lock: str


class PaletteItems(TypedDict):
    """The search results."""

    items: list[PaletteItem]


@router.get("/palette.json")
def get_palette(request: Request, actor: Annotated[Actor, Depends(SignedIn())]) -> Response:
    """Search results whose name contains `q`, those that start with it first; only pages without
    `q`."""
    check_names(request.query_params, frozenset({"q"}))
    wanted = (read_text(request.query_params, "q") or "").casefold().strip()
    places = _pages(request, actor)
    if wanted:
        places = chain(places, *_things(services_of(request), actor, wanted))
    found = [
        (not place.title.casefold().startswith(wanted), index, place)
        for index, place in enumerate(places)
        if wanted in f"{place.title}\n{place.also}".casefold()
    ]
    shown = [place for _, _, place in sorted(found, key=lambda item: item[:2])[:MOST]]
    items = [
        PaletteItem(title=one.title, kind=one.kind, path=one.path, lock=one.lock) for one in shown
    ]
    return json_answer(PaletteItems(items=items))


def _pages(request: Request, actor: Actor) -> Iterator[Place]:
    shell = shell_of(request, actor)
    for section in shell.sections:
        of_project = shell.project is not None and section.title == "Project"
        kind = f"Project · {shell.project.name}" if of_project and shell.project else section.title
        for item in section.items:
            yield _page(item, kind, actor)
    for item in SETTINGS:
        if is_listed(item, actor):
            yield _page(item, "Settings", actor)


def _page(item: NavItem, kind: str, actor: Actor) -> Place:
    lock = lock_of(item, actor)
    return Place(item.title, kind, item.path, kind, LOCKS[lock] if lock else "")


def _things(services: Services, actor: Actor, wanted: str) -> Iterator[Iterator[Place]]:
    """The objects that the actor may see; developers see only their own keys."""
    yield _projects(services, actor, wanted)
    yield _keys(services, actor, wanted)
    if has(actor, Permission.ORGANIZATION_USAGE):
        yield _people(services, actor, wanted)
        yield _groups(services, actor, wanted)
    yield _used(services, actor, wanted)


def _projects(services: Services, actor: Actor, wanted: str) -> Iterator[Place]:
    for project in services.administration.projects.list_for(actor):
        yield Place(project.name, "Project", project_path(project))
    for entry in services.administration.discovered.search(
        actor, Dimension.PROJECT, wanted, limit=MOST
    ):
        yield Place(entry.name, "Discovered project", project_path(entry.as_project()), entry.value)


def _keys(services: Services, actor: Actor, wanted: str) -> Iterator[Place]:
    projects = services.analytics.labels(actor.organization_id, Dimension.PROJECT)
    for key in services.administration.keys.list_for(actor):
        kind = f"API key · {projects.get(key.project_id, key.project_id)}"
        yield Place(key.description, kind, key_path(key), key.hint)
    for entry in services.administration.discovered.search(
        actor, Dimension.API_KEY, wanted, limit=MOST
    ):
        yield Place(entry.name, "Discovered API key", key_path(entry.as_key()), entry.value)


def _people(services: Services, actor: Actor, wanted: str) -> Iterator[Place]:
    for member in services.administration.members.list_for(actor):
        path = f"/organization/members/{member.member_id}"
        yield Place(member.name, f"Member · {member.email}", path, member.email)
    for entry in services.administration.discovered.search(
        actor, Dimension.USER, wanted, limit=MOST
    ):
        yield Place(entry.name, "User", user_path(entry.value), entry.value)


def _groups(services: Services, actor: Actor, wanted: str) -> Iterator[Place]:
    page = Links("/organization/users-and-groups", ())
    for group in services.administration.groups.list_for(actor):
        yield Place(group.name, "User group", page.put(groupId=group.group_id))
    for entry in services.administration.discovered.search(
        actor, Dimension.GROUP, wanted, limit=MOST
    ):
        yield Place(entry.name, "Discovered user group", page.put(groupId=entry.value), entry.value)


def _used(services: Services, actor: Actor, wanted: str) -> Iterator[Place]:
    """Models and apps of the last months, most requests first; only the actor's own if no more is
    allowed."""
    may_see_all = has(actor, Permission.ORGANIZATION_USAGE)
    page = Links("/organization/analytics" if may_see_all else "/me/usage", ())
    period = services.analytics.resolve_period(
        actor.organization_id, timezone=actor.timezone, preset=Preset.LAST_3_MONTHS
    )
    query = UsageQuery(
        organization_id=actor.organization_id,
        merges=services.analytics.merges(actor.organization_id),
        period=period,
        measures=CORE_MEASURES,
        filters={} if may_see_all else {Dimension.USER: (actor.member_id,)},
    )
    with services.analytics.read() as reader:
        for dimension, title in ((Dimension.MODEL, "Model"), (Dimension.APP, "App")):
            used = by_value(reader, query, dimension)
            matching = (key for key in used if key and wanted in key.casefold())
            ordered = sorted(matching, key=lambda key: (-used[key].requests, key))
            for key in islice(ordered, MOST):
                yield Place(key, title, page.put(**{dimension.value: key}))

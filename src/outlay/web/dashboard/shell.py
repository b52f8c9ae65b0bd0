"""The frame of a page: the sidebar and the current project."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.dimension import Dimension
from outlay.domain.errors import NotFound
from outlay.domain.organization import Project
from outlay.services.bundle import Services
from outlay.web.dashboard.navigation import (
    NAVIGATION,
    NavSection,
    is_listed,
    project_section,
)
from outlay.web.http.auth import services_of

PROJECT_COOKIE: Final = "outlay_project"
"""The project that was opened last, for pages without a project."""

SWITCHED: Final = 100
"""Number of projects in the switcher; the command palette finds all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """The sidebar for the actor."""

    sections: tuple[NavSection, ...]
    project: Project | None
    """The project whose pages are offered; None if there is none yet."""
    projects: tuple[Project, ...]
    current: str
    """The path of the current entry."""


def shell_of(request: Request, actor: Actor) -> Shell:
    """The sidebar, without entries that the actor can never open."""
    projects = projects_of(services_of(request), actor)
    project = chosen_project(request, actor, projects)
    sections = tuple(
        NavSection(section.title, tuple(item for item in section.items if is_listed(item, actor)))
        for section in NAVIGATION
    )
    mine = (project_section(project),) if project else ()
    path = request.url.path
    paths = [item.path for section in (*mine, *sections) for item in section.items]
    below = [known for known in paths if path == known or path.startswith(f"{known}/")]
    return Shell(
        sections=(*mine, *sections),
        project=project,
        projects=tuple(projects),
        current=max(below, key=len, default=""),
    )


def projects_of(services: Services, actor: Actor) -> list[Project]:
    """The first projects that an actor may open: configured ones, then discovered ones."""
    administration = services.administration
    projects = administration.projects.list_for(actor)[:SWITCHED]
    found = administration.discovered.search(
        actor, Dimension.PROJECT, limit=SWITCHED - len(projects)
    )
    return [*projects, *(entry.as_project() for entry in found)]


def chosen_project(request: Request, actor: Actor, projects: list[Project]) -> Project | None:
    """The project in the URL, else the one opened last, else the first."""
    first, _, rest = request.url.path.lstrip("/").partition("/")
    wanted = rest.partition("/")[0] if first == "project" else request.cookies.get(PROJECT_COOKIE)
    named = _find(request, actor, wanted) if wanted else None
    return named or next(iter(projects), None)


def _find(request: Request, actor: Actor, called: str) -> Project | None:
    try:
        found = services_of(request).usage_tables.project(actor, called)
    except NotFound:
        return None
    return None if found.is_deleted else found

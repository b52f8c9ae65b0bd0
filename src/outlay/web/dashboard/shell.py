"""What stands around a page: the sidebar, and which project one is in."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.organization import Project
from outlay.domain.policy import Permission, has
from outlay.web.dashboard.navigation import NAVIGATION, NavItem, NavSection, project_section
from outlay.web.http.auth import services_of

PROJECT_COOKIE: Final = "outlay_project"
"""The project that was looked at last, where a page is about none."""

SWITCHED: Final = 100
"""Projects that the switcher lists; the command palette finds all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """The sidebar of whoever looks."""

    sections: tuple[NavSection, ...]
    project: Project | None
    """The one whose pages are offered; None when there is none yet."""
    projects: tuple[Project, ...]
    current: str
    """The path of the entry that one is in."""
    is_locked: bool
    """Enterprise pages are not part of the plan."""


def shell_of(request: Request, actor: Actor) -> Shell:
    """The sidebar, without what is closed to the actor for good."""
    projects = services_of(request).administration.projects.of(actor)
    project = chosen_project(request, projects)
    sections = tuple(
        NavSection(section.title, tuple(item for item in section.items if _is_open(item, actor)))
        for section in NAVIGATION
    )
    mine = (project_section(project.project_id),) if project else ()
    path = request.url.path
    paths = [item.path for section in (*mine, *sections) for item in section.items]
    below = [known for known in paths if path == known or path.startswith(f"{known}/")]
    return Shell(
        sections=(*mine, *sections),
        project=project,
        projects=tuple(projects[:SWITCHED]),
        current=max(below, key=len, default=""),
        is_locked=not has(actor, Permission.ORGANIZATION_USAGE) and actor.plan != "enterprise",
    )


def _is_open(item: NavItem, actor: Actor) -> bool:
    return item.permission is None or has(actor, item.permission)


def chosen_project(request: Request, projects: list[Project]) -> Project | None:
    """The project that the address is about, else the last one looked at, else the first."""
    first, _, rest = request.url.path.lstrip("/").partition("/")
    wanted = rest.partition("/")[0] if first == "project" else request.cookies.get(PROJECT_COOKIE)
    named = [project for project in projects if project.project_id == wanted]
    return next(iter(named or projects), None)

"""`/api/v1/projects`: projects, which group API keys."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.ids import ProjectId
from outlay.domain.organization import Project
from outlay.domain.policy import Permission
from outlay.web.api.models import Answer, Body, render_us
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.routes import Router

router = Router(prefix="/projects", tags=["projects"])

Reader = Annotated[Actor, Depends(Requires(Permission.PROJECTS_READ))]
Writer = Annotated[Actor, Depends(Requires(Permission.PROJECTS_WRITE))]


class ProjectBody(Body):
    """A new project."""

    name: str


class ProjectAnswer(Answer):
    """A project."""

    project_id: ProjectId
    name: str
    created_at: str | None


class ProjectList(Answer):
    """Projects by name."""

    projects: list[ProjectAnswer]


def _render(project: Project) -> ProjectAnswer:
    return ProjectAnswer(
        project_id=project.project_id,
        name=project.name,
        created_at=render_us(project.created_at_us),
    )


@router.get("")
def get_projects(request: Request, actor: Reader) -> ProjectList:
    """List the projects of the organization."""
    found = services_of(request).administration.projects.list_for(actor)
    return ProjectList(projects=[_render(project) for project in found])


@router.post("", status_code=201)
def post_project(request: Request, body: ProjectBody, actor: Writer) -> ProjectAnswer:
    """Create a project."""
    return _render(services_of(request).administration.projects.create(actor, body.name))


@router.patch("/{project_id}")
def patch_project(
    request: Request, project_id: ProjectId, body: ProjectBody, actor: Writer
) -> ProjectAnswer:
    """Rename a project."""
    return _render(
        services_of(request).administration.projects.rename(actor, project_id, body.name)
    )


@router.delete("/{project_id}", status_code=204)
def delete_project(request: Request, project_id: ProjectId, actor: Writer) -> None:
    """Delete a project: its keys are revoked, its usage remains in all totals."""
    services_of(request).administration.projects.delete(actor, project_id)

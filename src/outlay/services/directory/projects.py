"""Projects, which group API keys."""

from typing import Final

from outlay.domain.actor import Actor
from outlay.domain.audit import Action
from outlay.domain.errors import NotFound
from outlay.domain.ids import OrganizationId, ProjectId
from outlay.domain.organization import Project
from outlay.domain.policy import Permission
from outlay.kit.ids import new_id
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.services.directory.named_things import NamedKind, NamedThings
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.projects import (
    create_project,
    delete_project,
    find_project,
    list_projects,
    rename_project,
)


def _new(organization_id: OrganizationId, name: str) -> Project:
    return Project(project_id=ProjectId(new_id("prj")), organization_id=organization_id, name=name)


PROJECTS: Final[NamedKind[Project, ProjectId]] = NamedKind(
    noun="project",
    reading=Permission.PROJECTS_READ,
    writing=Permission.PROJECTS_WRITE,
    created=Action.PROJECT_CREATE,
    updated=Action.PROJECT_UPDATE,
    deleted=Action.PROJECT_DELETE,
    new=_new,
    id_of=lambda project: project.project_id,
    list_rows=list_projects,
    find_row=find_project,
    create_row=create_project,
    rename_row=rename_project,
    # Its keys are rejected from now on.
    delete_row=lambda session, project, now_us: delete_project(session, project.project_id, now_us),
)


class Projects(NamedThings[Project, ProjectId]):
    """The projects of an actor's organization."""

    def __init__(self, directory: Directory, audited: AuditedChanges) -> None:
        super().__init__(directory, audited, PROJECTS)

    def ensure(self, actor: Actor, name: str) -> tuple[Project, bool]:
        """The current project with a name or id, created if necessary; also returns whether it
        was."""
        try:
            return self.find_by_name(actor, name), False
        except NotFound:
            return self.create(actor, name), True

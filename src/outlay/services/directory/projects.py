"""Projects, which group API keys."""

from dataclasses import replace

from outlay.domain.actor import Actor
from outlay.domain.audit import Action
from outlay.domain.errors import NotFound
from outlay.domain.ids import ProjectId
from outlay.domain.organization import Project
from outlay.domain.policy import Permission, permit
from outlay.kit.ids import new_id
from outlay.services.directory.changes import AuditedChanges
from outlay.services.directory.text_rules import check_name, check_name_free, check_present, pick
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.projects import (
    create_project,
    delete_project,
    find_project,
    list_projects,
    rename_project,
)
from outlay.storage.directory.session import ReadSession


class Projects:
    """The projects of an actor's organization."""

    def __init__(self, directory: Directory, audited: AuditedChanges) -> None:
        self._directory = directory
        self._audited = audited

    def list_for(self, actor: Actor) -> list[Project]:
        """Current projects, by name."""
        permit(actor, Permission.PROJECTS_READ)
        with self._directory.read() as session:
            return present_projects(session, actor)

    def create(self, actor: Actor, name: str) -> Project:
        """Create a project; raises Conflict if a current one has the name."""
        project = Project(
            project_id=ProjectId(new_id("prj")),
            organization_id=actor.organization_id,
            name=check_name(name),
        )
        with self._audited.change(actor, Permission.PROJECTS_WRITE) as change:
            project = replace(project, created_at_us=change.now_us)
            _check_free(change.session, actor, project)
            create_project(change.session, project, change.now_us)
            change.note(Action.PROJECT_CREATE, project.project_id, after={"name": project.name})
        return project

    def rename(self, actor: Actor, project_id: ProjectId, name: str) -> Project:
        """Rename a project."""
        with self._audited.change(actor, Permission.PROJECTS_WRITE) as change:
            before = find_present_project(change.session, actor, project_id)
            after = replace(before, name=check_name(name))
            _check_free(change.session, actor, after)
            rename_project(change.session, project_id, after.name)
            change.note_update(
                Action.PROJECT_UPDATE, project_id, {"name": before.name}, {"name": after.name}
            )
        return after

    def delete(self, actor: Actor, project_id: ProjectId) -> None:
        """Delete a project; its keys are rejected from now on, its history remains."""
        with self._audited.change(actor, Permission.PROJECTS_WRITE) as change:
            project = find_present_project(change.session, actor, project_id)
            delete_project(change.session, project_id, change.now_us)
            change.note(Action.PROJECT_DELETE, project_id, before={"name": project.name})

    def ensure(self, actor: Actor, name: str) -> tuple[Project, bool]:
        """The current project with a name or id, created if necessary; also returns whether it
        was."""
        try:
            known = pick(
                self.list_for(actor),
                lambda project: name in {project.name, project.project_id},
                "project",
            )
        except NotFound:
            return self.create(actor, name), True
        return known, False


def present_projects(session: ReadSession, actor: Actor) -> list[Project]:
    """The actor's organization's projects that are not deleted, by name."""
    return [p for p in list_projects(session, actor.organization_id) if not p.is_deleted]


def find_present_project(session: ReadSession, actor: Actor, project_id: ProjectId) -> Project:
    """A current project of the actor's organization; raises NotFound for all others."""
    return check_present(find_project(session, project_id), actor.organization_id, "project")


def _check_free(session: ReadSession, actor: Actor, project: Project) -> None:
    others = [o for o in present_projects(session, actor) if o.project_id != project.project_id]
    check_name_free(project.name, [other.name for other in others], "project")

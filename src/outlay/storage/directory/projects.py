"""Reading and writing projects."""

from sqlalchemy import select, update

from outlay.domain.ids import OrganizationId, ProjectId
from outlay.domain.organization import Project
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import ProjectRow


def create_project(session: WriteSession, project: Project, created_at_us: int) -> None:
    """Add a project."""
    session.add(
        ProjectRow(
            project_id=project.project_id,
            organization_id=project.organization_id,
            name=project.name,
            created_at_us=created_at_us,
            deleted_at_us=None,
        )
    )
    session.flush()


def rename_project(session: WriteSession, project_id: ProjectId, name: str) -> None:
    """Rename a project."""
    session.execute(update(ProjectRow).where(ProjectRow.project_id == project_id).values(name=name))


def delete_project(session: WriteSession, project_id: ProjectId, deleted_at_us: int) -> None:
    """Mark a project as deleted; the name remains for reports."""
    session.execute(
        update(ProjectRow)
        .where(ProjectRow.project_id == project_id)
        .values(deleted_at_us=deleted_at_us)
    )


def list_projects(session: ReadSession, organization_id: OrganizationId) -> list[Project]:
    """Projects of an organization, including deleted ones, by name."""
    rows = session.scalars(
        select(ProjectRow)
        .where(ProjectRow.organization_id == organization_id)
        .order_by(ProjectRow.name, ProjectRow.project_id)
    )
    return [_from_row(row) for row in rows]


def find_project(session: ReadSession, project_id: ProjectId) -> Project | None:
    """A project, also a deleted one."""
    row = session.get(ProjectRow, project_id)
    return None if row is None else _from_row(row)


def _from_row(row: ProjectRow) -> Project:
    return Project(
        project_id=row.project_id,
        organization_id=row.organization_id,
        name=row.name,
        created_at_us=row.created_at_us,
        is_deleted=row.deleted_at_us is not None,
    )

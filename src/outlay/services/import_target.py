"""Where an import goes: an organization, and a project for what names none."""

from dataclasses import dataclass

from outlay.domain.ids import OrganizationId, ProjectId
from outlay.domain.organization import operator_of
from outlay.services.bundle import Administration


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportTarget:
    """Where imported usage goes."""

    organization_id: OrganizationId
    organization_name: str
    project_id: ProjectId
    """Of rows that name none; empty where none was given."""
    project_name: str
    created: tuple[str, ...]
    """What did not exist before: `organization`, `project`."""


def import_target(
    administration: Administration, organization_name: str | None, project_name: str
) -> ImportTarget:
    """The organization and project that an import goes to, created where there is none."""
    created = []
    organizations = administration.organizations
    organization = organizations.called(organization_name) if organizations.all() else None
    project_id = ""
    with administration.trail.together():
        if organization is None:
            organization = organizations.create(organization_name or "My organization")
            created.append("organization")
        if project_name:
            operator = operator_of(organization)
            project, is_new = administration.projects.ensure(operator, project_name)
            project_id, project_name = project.project_id, project.name
            if is_new:
                created.append("project")
    return ImportTarget(
        organization_id=organization.organization_id,
        organization_name=organization.name,
        project_id=ProjectId(project_id),
        project_name=project_name,
        created=tuple(created),
    )

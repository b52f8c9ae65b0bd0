"""The organization and default project of an import."""

from dataclasses import dataclass

from outlay.domain.ids import OrganizationId, ProjectId
from outlay.domain.organization import operator_of
from outlay.services.bundle import Administration


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportTarget:
    """The organization and default project of imported usage."""

    organization_id: OrganizationId
    organization_name: str
    project_id: ProjectId
    """For rows without a project; empty without a default."""
    project_name: str
    created: tuple[str, ...]
    """What was created for it: `organization`, `project`."""


def import_target(
    administration: Administration, organization_name: str | None, project_name: str
) -> ImportTarget:
    """The organization and project of an import, created if necessary."""
    created = []
    organizations = administration.organizations
    organization = organizations.find_by_name(organization_name) if organizations.all() else None
    project_id = ""
    with administration.audited.together():
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

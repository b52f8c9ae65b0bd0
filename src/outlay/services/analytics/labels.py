"""Labels of dimension values: names survive deletion."""

from collections.abc import Mapping
from typing import Final

from outlay.domain.dimension import Dimension, Grouping
from outlay.domain.discovery import DISCOVERABLE
from outlay.domain.event import Status
from outlay.domain.ids import OrganizationId
from outlay.domain.kind import KINDS
from outlay.domain.organization import ApiKey, Member, Project, UserGroup
from outlay.domain.tag import Tag
from outlay.storage.directory.api_keys import list_api_keys
from outlay.storage.directory.discovered import list_discovered
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.groups import list_groups
from outlay.storage.directory.members import list_members
from outlay.storage.directory.projects import list_projects
from outlay.storage.directory.session import ReadSession

DELETED: Final = " (deleted)"
"""Suffix of the names of deleted objects."""


def read_labels(
    directory: Directory, organization_id: OrganizationId, dimension: Grouping
) -> Mapping[str, str]:
    """Label by key; keys that the directory does not know are their own label."""
    if isinstance(dimension, Tag):
        return {}
    if dimension is Dimension.STATUS:
        return {status.value: status.label for status in Status}
    if dimension is Dimension.KIND:
        return {kind.name: kind.title for kind in KINDS.values()}
    with directory.read() as session:
        labels = _labels_of_things(session, organization_id, dimension)
        if dimension in DISCOVERABLE:
            found = list_discovered(session, organization_id, dimension)
            labels |= {entry.value: entry.name for entry in found}
            for entry in found:
                if entry.merged_into:
                    labels[entry.value] = labels.get(entry.merged_into, entry.merged_into)
    return labels


def _labels_of_things(
    session: ReadSession, organization_id: OrganizationId, dimension: Grouping
) -> dict[str, str]:
    """Names of configured objects."""
    match dimension:
        case Dimension.PROJECT:
            return {
                project.project_id: mark_deleted(project.name, project)
                for project in list_projects(session, organization_id)
            }
        case Dimension.API_KEY:
            return {
                key.api_key_id: mark_deleted(key.description, key)
                for key in list_api_keys(session, organization_id)
            }
        case Dimension.MEMBER | Dimension.USER:
            return {
                member.member_id: mark_deleted(member.name, member)
                for member in list_members(session, organization_id)
            }
        case Dimension.GROUP:
            return {
                group.group_id: mark_deleted(group.name, group)
                for group in list_groups(session, organization_id)
            }
        case _:
            return {}


def mark_deleted(name: str, thing: ApiKey | Member | Project | UserGroup) -> str:
    """The name, followed by `(deleted)` if the object is deleted."""
    return name + DELETED if thing.is_deleted else name

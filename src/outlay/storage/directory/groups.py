"""Reading and writing user groups and their memberships."""

from sqlalchemy import delete, or_, select, update

from outlay.domain.ids import GroupId, MemberId, OrganizationId
from outlay.domain.organization import GroupMembership, UserGroup
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import GroupMembershipRow, UserGroupRow


def create_group(session: WriteSession, group: UserGroup, created_at_us: int) -> None:
    """Add a user group."""
    session.add(
        UserGroupRow(
            group_id=group.group_id,
            organization_id=group.organization_id,
            name=group.name,
            created_at_us=created_at_us,
            deleted_at_us=None,
        )
    )
    session.flush()


def create_membership(session: WriteSession, membership: GroupMembership) -> None:
    """Add a member to a group for a time."""
    session.add(
        GroupMembershipRow(
            group_id=membership.group_id,
            member_id=membership.member_id,
            valid_from_us=membership.valid_from_us,
            valid_to_us=membership.valid_to_us,
        )
    )
    session.flush()


def end_membership(
    session: WriteSession, group_id: GroupId, member_id: MemberId, at_us: int
) -> None:
    """End a membership at an instant; one that began at or after it is deleted."""
    of_member = (
        GroupMembershipRow.group_id == group_id,
        GroupMembershipRow.member_id == member_id,
        or_(GroupMembershipRow.valid_to_us.is_(None), GroupMembershipRow.valid_to_us > at_us),
    )
    session.execute(
        delete(GroupMembershipRow).where(*of_member, GroupMembershipRow.valid_from_us >= at_us)
    )
    session.execute(update(GroupMembershipRow).where(*of_member).values(valid_to_us=at_us))


def rename_group(session: WriteSession, group_id: GroupId, name: str) -> None:
    """Rename a group."""
    session.execute(update(UserGroupRow).where(UserGroupRow.group_id == group_id).values(name=name))


def delete_group(session: WriteSession, group_id: GroupId, deleted_at_us: int) -> None:
    """Mark a group as deleted; the name remains for reports."""
    session.execute(
        update(UserGroupRow)
        .where(UserGroupRow.group_id == group_id)
        .values(deleted_at_us=deleted_at_us)
    )


def list_groups(session: ReadSession, organization_id: OrganizationId) -> list[UserGroup]:
    """Groups of an organization, including deleted ones, by name."""
    rows = session.scalars(
        select(UserGroupRow)
        .where(UserGroupRow.organization_id == organization_id)
        .order_by(UserGroupRow.name, UserGroupRow.group_id)
    )
    return [_from_row(row) for row in rows]


def find_group(session: ReadSession, group_id: GroupId) -> UserGroup | None:
    """A group, also a deleted one."""
    row = session.get(UserGroupRow, group_id)
    return None if row is None else _from_row(row)


def _from_row(row: UserGroupRow) -> UserGroup:
    return UserGroup(
        group_id=row.group_id,
        organization_id=row.organization_id,
        name=row.name,
        created_at_us=row.created_at_us,
        is_deleted=row.deleted_at_us is not None,
    )


def list_memberships(
    session: ReadSession, organization_id: OrganizationId
) -> list[GroupMembership]:
    """All memberships of an organization, including ended ones."""
    rows = session.scalars(
        select(GroupMembershipRow)
        .join(UserGroupRow, UserGroupRow.group_id == GroupMembershipRow.group_id)
        .where(UserGroupRow.organization_id == organization_id)
    )
    return [
        GroupMembership(
            group_id=row.group_id,
            member_id=row.member_id,
            valid_from_us=row.valid_from_us,
            valid_to_us=row.valid_to_us,
        )
        for row in rows
    ]

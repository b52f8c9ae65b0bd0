"""User groups and their dated memberships."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from outlay.domain.actor import Actor
from outlay.domain.audit import Action, Value
from outlay.domain.errors import Conflict, Invalid
from outlay.domain.ids import GroupId, MemberId, OrganizationId
from outlay.domain.organization import GroupMembership, UserGroup
from outlay.domain.policy import Permission, permit
from outlay.kit.clock import from_us, to_us
from outlay.kit.ids import new_id
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.services.directory.members import find_present_member
from outlay.services.directory.named_things import NamedKind, NamedThings, find_present, present_of
from outlay.services.directory.text_rules import check_found
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.groups import (
    create_group,
    create_membership,
    delete_group,
    end_membership,
    find_group,
    list_groups,
    list_memberships,
    rename_group,
)
from outlay.storage.directory.session import WriteSession


def _new(organization_id: OrganizationId, name: str) -> UserGroup:
    return UserGroup(group_id=GroupId(new_id("grp")), organization_id=organization_id, name=name)


def _delete(session: WriteSession, group: UserGroup, now_us: int) -> None:
    """Delete a group: its memberships end, its history remains."""
    for membership in list_memberships(session, group.organization_id):
        if membership.group_id == group.group_id:
            end_membership(session, group.group_id, membership.member_id, now_us)
    delete_group(session, group.group_id, now_us)


GROUPS: Final[NamedKind[UserGroup, GroupId]] = NamedKind(
    noun="user group",
    reading=Permission.GROUPS_READ,
    writing=Permission.GROUPS_WRITE,
    created=Action.GROUP_CREATE,
    updated=Action.GROUP_UPDATE,
    deleted=Action.GROUP_DELETE,
    new=_new,
    id_of=lambda group: group.group_id,
    list_rows=list_groups,
    find_row=find_group,
    create_row=create_group,
    rename_row=rename_group,
    delete_row=_delete,
)


class Groups(NamedThings[UserGroup, GroupId]):
    """The user groups of an actor's organization."""

    def __init__(self, directory: Directory, audited: AuditedChanges) -> None:
        super().__init__(directory, audited, GROUPS)

    def memberships(self, actor: Actor) -> list[GroupMembership]:
        """All memberships of current groups, including ended ones."""
        permit(actor, Permission.GROUPS_READ)
        with self._directory.read() as session:
            present = {group.group_id for group in present_of(GROUPS, session, actor)}
            found = list_memberships(session, actor.organization_id)
        return [membership for membership in found if membership.group_id in present]

    def add_member(
        self, actor: Actor, group_id: GroupId, member_id: MemberId, since: datetime | None = None
    ) -> GroupMembership:
        """Add a member to a group, from now or from another instant.

        Recorded requests keep the groups they were recorded with.
        """
        with self._audited.change(actor, Permission.GROUPS_WRITE) as change:
            find_present(GROUPS, change.session, actor, group_id)
            find_present_member(change.session, actor, member_id)
            membership = GroupMembership(
                group_id=group_id,
                member_id=member_id,
                valid_from_us=to_us(since) if since else change.now_us,
            )
            for known in list_memberships(change.session, actor.organization_id):
                is_same = (known.group_id, known.member_id) == (group_id, member_id)
                if is_same and not known.has_ended_at(membership.valid_from_us):
                    raise Conflict(
                        "The member is already in the group at that time.", field="since"
                    )
            create_membership(change.session, membership)
            change.note(Action.GROUP_JOIN, group_id, after=_describe(membership))
        return membership

    def remove_member(
        self, actor: Actor, group_id: GroupId, member_id: MemberId, until: datetime | None = None
    ) -> None:
        """Remove a member from a group, from now or from another instant."""
        with self._audited.change(actor, Permission.GROUPS_WRITE) as change:
            find_present(GROUPS, change.session, actor, group_id)
            until_us = to_us(until) if until else change.now_us
            memberships = list_memberships(change.session, actor.organization_id)
            current = (
                known
                for known in memberships
                if (known.group_id, known.member_id) == (group_id, member_id)
                and not known.has_ended_at(until_us)
            )
            membership = check_found(next(current, None), "membership")
            if until and until_us < membership.valid_from_us:
                raise Invalid("`until` must be after the member joined.", field="until")
            end_membership(change.session, group_id, member_id, until_us)
            ended = replace(membership, valid_to_us=until_us)
            change.note(Action.GROUP_LEAVE, group_id, before=_describe(ended))


def _describe(membership: GroupMembership) -> dict[str, Value]:
    described: dict[str, Value] = {
        "member": membership.member_id,
        "since": from_us(membership.valid_from_us).isoformat(),
    }
    if membership.valid_to_us is not None:
        described["until"] = from_us(membership.valid_to_us).isoformat()
    return described

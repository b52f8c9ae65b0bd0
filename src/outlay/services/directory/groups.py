"""User groups and their dated memberships."""

from dataclasses import replace
from datetime import datetime

from outlay.domain.actor import Actor
from outlay.domain.audit import Action, Value
from outlay.domain.errors import Conflict, Invalid
from outlay.domain.ids import GroupId, MemberId
from outlay.domain.organization import GroupMembership, UserGroup
from outlay.domain.policy import Permission, permit
from outlay.kit.clock import from_us, to_us
from outlay.kit.ids import new_id
from outlay.services.directory.changes import AuditedChanges
from outlay.services.directory.members import find_present_member
from outlay.services.directory.text_rules import check_name, check_name_free, check_present, pick
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
from outlay.storage.directory.session import ReadSession


class Groups:
    """The user groups of an actor's organization."""

    def __init__(self, directory: Directory, audited: AuditedChanges) -> None:
        self._directory = directory
        self._audited = audited

    def list_for(self, actor: Actor) -> list[UserGroup]:
        """Current groups, by name."""
        permit(actor, Permission.GROUPS_READ)
        with self._directory.read() as session:
            return present_groups(session, actor)

    def memberships(self, actor: Actor) -> list[GroupMembership]:
        """All memberships of current groups, including ended ones."""
        permit(actor, Permission.GROUPS_READ)
        with self._directory.read() as session:
            present = {group.group_id for group in present_groups(session, actor)}
            found = list_memberships(session, actor.organization_id)
        return [membership for membership in found if membership.group_id in present]

    def create(self, actor: Actor, name: str) -> UserGroup:
        """Create a group; raises Conflict if a current one has the name."""
        group = UserGroup(
            group_id=GroupId(new_id("grp")),
            organization_id=actor.organization_id,
            name=check_name(name),
        )
        with self._audited.change(actor, Permission.GROUPS_WRITE) as change:
            group = replace(group, created_at_us=change.now_us)
            _check_free(change.session, actor, group)
            create_group(change.session, group, change.now_us)
            change.note(Action.GROUP_CREATE, group.group_id, after={"name": group.name})
        return group

    def rename(self, actor: Actor, group_id: GroupId, name: str) -> UserGroup:
        """Rename a group."""
        with self._audited.change(actor, Permission.GROUPS_WRITE) as change:
            before = find_present_group(change.session, actor, group_id)
            after = replace(before, name=check_name(name))
            _check_free(change.session, actor, after)
            rename_group(change.session, group_id, after.name)
            change.note_update(
                Action.GROUP_UPDATE, group_id, {"name": before.name}, {"name": after.name}
            )
        return after

    def delete(self, actor: Actor, group_id: GroupId) -> None:
        """Delete a group: its memberships end, its history remains."""
        with self._audited.change(actor, Permission.GROUPS_WRITE) as change:
            group = find_present_group(change.session, actor, group_id)
            for membership in list_memberships(change.session, actor.organization_id):
                if membership.group_id == group_id:
                    end_membership(change.session, group_id, membership.member_id, change.now_us)
            delete_group(change.session, group_id, change.now_us)
            change.note(Action.GROUP_DELETE, group_id, before={"name": group.name})

    def add_member(
        self, actor: Actor, group_id: GroupId, member_id: MemberId, since: datetime | None = None
    ) -> GroupMembership:
        """Add a member to a group, from now or from another instant.

        Recorded requests keep the groups they were recorded with.
        """
        with self._audited.change(actor, Permission.GROUPS_WRITE) as change:
            find_present_group(change.session, actor, group_id)
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
            find_present_group(change.session, actor, group_id)
            until_us = to_us(until) if until else change.now_us
            membership = pick(
                list_memberships(change.session, actor.organization_id),
                lambda known: (
                    (known.group_id, known.member_id) == (group_id, member_id)
                    and not known.has_ended_at(until_us)
                ),
                "membership",
            )
            if until and until_us < membership.valid_from_us:
                raise Invalid("`until` must be after the member joined.", field="until")
            end_membership(change.session, group_id, member_id, until_us)
            ended = replace(membership, valid_to_us=until_us)
            change.note(Action.GROUP_LEAVE, group_id, before=_describe(ended))


def present_groups(session: ReadSession, actor: Actor) -> list[UserGroup]:
    """The actor's organization's groups that are not deleted, by name."""
    return [g for g in list_groups(session, actor.organization_id) if not g.is_deleted]


def find_present_group(session: ReadSession, actor: Actor, group_id: GroupId) -> UserGroup:
    """A current group of the actor's organization; raises NotFound for all others."""
    return check_present(find_group(session, group_id), actor.organization_id, "user group")


def _describe(membership: GroupMembership) -> dict[str, Value]:
    described: dict[str, Value] = {
        "member": membership.member_id,
        "since": from_us(membership.valid_from_us).isoformat(),
    }
    if membership.valid_to_us is not None:
        described["until"] = from_us(membership.valid_to_us).isoformat()
    return described


def _check_free(session: ReadSession, actor: Actor, group: UserGroup) -> None:
    others = [o for o in present_groups(session, actor) if o.group_id != group.group_id]
    check_name_free(group.name, [other.name for other in others], "group")

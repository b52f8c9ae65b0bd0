"""Members: invitations, roles, removal."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from outlay.domain.actor import Actor, Role
from outlay.domain.audit import Action, Personal, Value
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Conflict, NotFound, NotPermitted
from outlay.domain.ids import MemberId
from outlay.domain.organization import Invitation, Member, PasswordLink
from outlay.domain.policy import Permission, may_manage, permit, permit_admission
from outlay.kit.clock import from_us, in_us
from outlay.kit.ids import new_id
from outlay.kit.secrets import digest_secret, new_secret
from outlay.services.directory.audited_changes import AuditedChanges, Change
from outlay.services.directory.issuing import ended, void_unfounded
from outlay.services.directory.text_rules import check_email, check_found, check_name, check_present
from outlay.storage.directory.access_tokens import find_access_token, revoke_tokens_of
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.groups import end_membership, list_memberships
from outlay.storage.directory.invitations import (
    close_invitation,
    create_invitation,
    list_invitations,
)
from outlay.storage.directory.members import delete_member, find_member, list_members, update_member
from outlay.storage.directory.password_links import create_password_link, delete_password_links
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.sessions import delete_sessions_of

INVITATION_LIFETIME: Final = timedelta(days=7)
PASSWORD_LINK_LIFETIME: Final = timedelta(days=1)


class Members:
    """The people of an actor's organization."""

    def __init__(self, directory: Directory, audited: AuditedChanges) -> None:
        self._directory = directory
        self._audited = audited

    def list_for(self, actor: Actor) -> list[Member]:
        """Current members, by name."""
        permit(actor, Permission.MEMBERS_READ)
        with self._directory.read() as session:
            return present_members(session, actor)

    def find(self, actor: Actor, member_id: MemberId) -> Member:
        """A current member; raises NotFound for all others."""
        permit(
            actor,
            Permission.ACCOUNT_READ if member_id == actor.member_id else Permission.MEMBERS_READ,
        )
        with self._directory.read() as session:
            return find_present_member(session, actor, member_id)

    def owners(self, actor: Actor) -> list[Member]:
        """The owners, whom any member may ask for permissions."""
        permit(actor, Permission.ACCOUNT_READ)
        with self._directory.read() as session:
            return present_owners(session, actor)

    def find_by_email(self, actor: Actor, email: str | None) -> Member:
        """The current member with an e-mail address, or the first owner if none is given."""
        permit(actor, Permission.MEMBERS_READ)
        for member in self.list_for(actor):
            if member.email.lower() == email.lower() if email else member.role is Role.OWNER:
                return member
        raise NotFound(f"there is no member {email}" if email else "there is no owner")

    # Invitations

    def invitations(self, actor: Actor) -> list[Invitation]:
        """Open invitations, oldest first, including expired ones."""
        permit(actor, Permission.MEMBERS_READ)
        with self._directory.read() as session:
            return list_invitations(session, actor.organization_id)

    def invite(self, actor: Actor, email: str, role: Role) -> tuple[Invitation, str]:
        """Invite an address; returns the invitation and the secret of its link, which is not
        stored.
        """
        check_manages(actor, role)
        permit_admission(actor, role)
        address, secret = check_email(email), new_secret()
        with self._audited.change(actor, Permission.MEMBERS_WRITE) as change:
            members = present_members(change.session, actor)
            if any(member.email.lower() == address.lower() for member in members):
                raise Conflict(f"{address!r} is already a member.", field="email")
            open_ones = list_invitations(change.session, actor.organization_id)
            if any(
                known.email.lower() == address.lower() and known.expires_at_us > change.now_us
                for known in open_ones
            ):
                raise Conflict(
                    f"{address!r} is already invited. Revoke that invitation to create a new link.",
                    field="email",
                )
            invitation = Invitation(
                invitation_id=new_id("inv"),
                organization_id=actor.organization_id,
                email=address,
                role=role,
                issuer=actor.as_issuer,
                created_at_us=change.now_us,
                expires_at_us=_expiry(change, actor, INVITATION_LIFETIME),
            )
            create_invitation(change.session, invitation, digest_secret(secret))
            change.note(
                Action.INVITATION_CREATE,
                invitation.invitation_id,
                after={
                    "email": Personal(invitation.invitation_id, address),
                    "role": role.value,
                    "expires": from_us(invitation.expires_at_us).isoformat(),
                },
            )
        return invitation, secret

    def revoke_invitation(self, actor: Actor, invitation_id: str) -> None:
        """Revoke an invitation."""
        with self._audited.change(actor, Permission.MEMBERS_WRITE) as change:
            invitations = list_invitations(change.session, actor.organization_id)
            with_id = (known for known in invitations if known.invitation_id == invitation_id)
            invitation = check_found(next(with_id, None), "invitation")
            check_manages(actor, invitation.role)
            close_invitation(change.session, invitation_id, at_us=change.now_us)
            change.note(
                Action.INVITATION_REVOKE,
                invitation_id,
                before={"email": Personal(invitation_id, invitation.email)},
            )

    # Members

    def update(
        self,
        actor: Actor,
        member_id: MemberId,
        *,
        name: str | None = None,
        role: Role | None = None,
    ) -> Member:
        """Change name or role; a new role signs the member out everywhere.

        The member's invitations that the new role does not allow become void.
        """
        with self._audited.change(actor, Permission.MEMBERS_WRITE) as change:
            before = find_present_member(change.session, actor, member_id)
            voided: dict[str, Value] = {}
            check_manages(actor, before.role)
            after = replace(
                before,
                name=before.name if name is None else check_name(name),
                role=role or before.role,
            )
            if after.role is not before.role:
                check_manages(actor, after.role)
                permit_admission(actor, after.role)
                check_other_owner(change.session, actor, before)
                # An existing link was created for the old role.
                delete_password_links(change.session, member_id)
                delete_sessions_of(change.session, member_id)
            update_member(change.session, after)
            if after.role is not before.role:
                voided = void_unfounded(change.session, actor.organization_id, change.now_us)
            change.note_update(
                Action.MEMBER_UPDATE,
                member_id,
                describe_member(before),
                describe_member(after) | voided,
            )
        return after

    def rename_self(self, actor: Actor, name: str) -> Member:
        """Change the actor's own name."""
        with self._audited.change(actor, Permission.ACCOUNT_WRITE) as change:
            before = find_present_member(change.session, actor, actor.member_id)
            after = replace(before, name=check_name(name))
            update_member(change.session, after)
            change.note_update(
                Action.MEMBER_UPDATE,
                actor.member_id,
                describe_member(before),
                describe_member(after),
            )
        return after

    def remove(self, actor: Actor, member_id: MemberId) -> None:
        """Remove a member: ends sessions, revokes tokens, ends group memberships.

        The member's invitations and password links become void, too. Created API keys keep working,
        because applications use them; revoke those separately.
        """
        with self._audited.change(actor, Permission.MEMBERS_WRITE) as change:
            member = find_present_member(change.session, actor, member_id)
            check_manages(actor, member.role)
            check_other_owner(change.session, actor, member)
            released = release_member(change.session, member, change.now_us)
            change.note(Action.MEMBER_REMOVE, member_id, before=describe_member(member) | released)

    def create_password_link(self, actor: Actor, member_id: MemberId) -> str:
        """The secret of a link with which a member can set a password, once, within a day."""
        secret = new_secret()
        with self._audited.change(actor, Permission.MEMBERS_WRITE) as change:
            member = find_present_member(change.session, actor, member_id)
            check_manages(actor, member.role)
            permit_admission(actor, member.role)
            link = PasswordLink(
                member_id=member_id,
                issuer=actor.as_issuer,
                created_at_us=change.now_us,
                expires_at_us=_expiry(change, actor, PASSWORD_LINK_LIFETIME),
            )
            create_password_link(change.session, link, digest_secret(secret))
            change.note(Action.PASSWORD_LINK_CREATE, member_id)
        return secret


def release_member(session: WriteSession, member: Member, now_us: int) -> dict[str, Value]:
    """Remove everything by which a member can sign in or admit others.

    Returns the fields for the audit entry.
    """
    for membership in list_memberships(session, member.organization_id):
        if membership.member_id == member.member_id:
            end_membership(session, membership.group_id, member.member_id, now_us)
    delete_sessions_of(session, member.member_id)
    tokens = revoke_tokens_of(session, member.member_id, now_us)
    delete_password_links(session, member.member_id)
    delete_member(session, member.member_id, now_us)
    return ended(tokens=tokens) | void_unfounded(session, member.organization_id, now_us)


def _expiry(change: Change, actor: Actor, lifetime: timedelta) -> int:
    """The expiry of a link: not after the access token that creates it."""
    expires_at_us = change.now_us + in_us(lifetime)
    found = find_access_token(change.session, actor.credential_id)
    if found is None or found[0].expires_at_us is None:
        return expires_at_us
    return min(expires_at_us, found[0].expires_at_us)


def present_members(session: ReadSession, actor: Actor) -> list[Member]:
    """The actor's organization's current members, by name."""
    return [m for m in list_members(session, actor.organization_id) if not m.is_deleted]


def present_owners(session: ReadSession, actor: Actor) -> list[Member]:
    """Those of them who are owners."""
    return [m for m in present_members(session, actor) if m.role is Role.OWNER]


def find_present_member(session: ReadSession, actor: Actor, member_id: MemberId) -> Member:
    """A current member of the actor's organization; raises NotFound for all others."""
    return check_present(find_member(session, member_id), actor.organization_id, "member")


def describe_member(member: Member) -> dict[str, Value | Personal]:
    """The fields of a member in the audit trail."""
    return {
        "name": Personal(member.member_id, member.name),
        "email": Personal(member.member_id, member.email),
        "role": member.role.value,
    }


def check_manages(actor: Actor, role: Role) -> None:
    """Raise NotPermitted if a role is above the actor's own."""
    if not may_manage(actor, role):
        raise NotPermitted(
            f"Your role does not include managing an {role}. It requires owner.",
            code=ErrorCode.ROLE_REQUIRED,
        )


def check_other_owner(session: ReadSession, actor: Actor, member: Member) -> None:
    """Raise Conflict if a member is the only owner."""
    if member.role is Role.OWNER and len(present_owners(session, actor)) == 1:
        raise Conflict(
            "This is the last owner. Make another member an owner first.", code=ErrorCode.LAST_OWNER
        )

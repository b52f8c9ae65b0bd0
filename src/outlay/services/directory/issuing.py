"""Invitations and password links depend on the rights of their issuer, and become void with
them.
"""

from collections.abc import Sequence

from outlay.domain.actor import ALL_SCOPES, Channel, Issuer, Role
from outlay.domain.audit import Value
from outlay.domain.errors import NotFound
from outlay.domain.ids import OrganizationId
from outlay.domain.organization import Invitation, Member
from outlay.domain.policy import Permission, has, may_manage
from outlay.kit.secrets import digest_secret
from outlay.services.directory.actors import actor_for
from outlay.storage.directory.access_tokens import find_access_token
from outlay.storage.directory.invitations import (
    close_invitation,
    find_invitation,
    list_invitations,
)
from outlay.storage.directory.members import find_member
from outlay.storage.directory.password_links import (
    delete_password_links,
    find_password_link,
    list_password_links,
)
from outlay.storage.directory.session import ReadSession, WriteSession


def may_still_admit(session: ReadSession, issuer: Issuer, role: Role, now_us: int) -> bool:
    """Whether an issuer still has the right to let somebody with a role sign in.

    Scopes need no second check: those of a token never change, nor what a role can use.
    """
    if issuer.token_id is not None:
        found = find_access_token(session, issuer.token_id)
        if found is None or not found[0].is_good_at(now_us):
            return False
    if issuer.member_id is None:
        return True
    actor = actor_for(session, issuer.member_id, ALL_SCOPES, Channel.SESSION)
    return actor is not None and has(actor, Permission.MEMBERS_WRITE) and may_manage(actor, role)


def good_invitation(session: ReadSession, secret: str, now_us: int) -> Invitation:
    """The invitation of a link; raises NotFound if it is unknown, used, void or expired."""
    found = find_invitation(session, digest_secret(secret))
    if (
        found is None
        or found.expires_at_us <= now_us
        or not may_still_admit(session, found.issuer, found.role, now_us)
    ):
        raise invitation_over()
    return found


def invitation_over() -> NotFound:
    """The error for an invitation that is not valid."""
    return NotFound("This invitation was used or revoked, or it has expired.")


def member_of_link(session: ReadSession, secret: str, now_us: int) -> Member:
    """The member of a password link; raises NotFound if it is unknown, used, void or expired."""
    link = find_password_link(session, digest_secret(secret), now_us)
    member = find_member(session, link.member_id) if link else None
    if (
        link is None
        or member is None
        or member.is_deleted
        or not may_still_admit(session, link.issuer, member.role, now_us)
    ):
        raise link_over()
    return member


def link_over() -> NotFound:
    """The error for a password link that is not valid."""
    return NotFound("This link was used or has expired.")


def void_unfounded(
    session: WriteSession, organization_id: OrganizationId, now_us: int
) -> dict[str, Value]:
    """Void the invitations and links of an organization whose issuer has lost the right to them.

    Call it in every change that removes a right. Returns what the change's audit entry lists: ids
    of invitations, and of the members whose password links were deleted.
    """
    invitations = [
        known.invitation_id
        for known in list_invitations(session, organization_id)
        if not may_still_admit(session, known.issuer, known.role, now_us)
    ]
    for invitation_id in invitations:
        close_invitation(session, invitation_id, at_us=now_us)
    members = []
    for link in list_password_links(session, organization_id):
        member = find_member(session, link.member_id)
        if member is None or not may_still_admit(session, link.issuer, member.role, now_us):
            members.append(link.member_id)
            delete_password_links(session, link.member_id)
    return ended(invitations=invitations, passwordLinks=members)


def ended(**ids: Sequence[str]) -> dict[str, Value]:
    """The fields of an audit entry for what ended with another object: ids by kind, without empty
    kinds.
    """
    return {kind: list(found) for kind, found in ids.items() if found}

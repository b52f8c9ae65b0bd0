"""Reading and writing invitations."""

from sqlalchemy import ColumnElement, delete, func, select, update

from outlay.domain.actor import Issuer, Role
from outlay.domain.ids import MemberId, OrganizationId
from outlay.domain.organization import Invitation
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import InvitationRow


def create_invitation(session: WriteSession, invitation: Invitation, digest: bytes) -> None:
    """Add an invitation, with the digest of its link's secret."""
    session.add(
        InvitationRow(
            invitation_id=invitation.invitation_id,
            organization_id=invitation.organization_id,
            email=invitation.email,
            role=invitation.role.value,
            digest=digest,
            issuer_id=invitation.issuer.member_id,
            token_id=invitation.issuer.token_id,
            created_at_us=invitation.created_at_us,
            expires_at_us=invitation.expires_at_us,
            member_id=None,
            revoked_at_us=None,
        )
    )
    session.flush()


def find_invitation(session: ReadSession, digest: bytes) -> Invitation | None:
    """The open invitation of a link's secret, even if it has expired."""
    row = session.scalars(
        select(InvitationRow).where(InvitationRow.digest == digest, *_open())
    ).first()
    return _from_row(row) if row else None


def list_invitations(session: ReadSession, organization_id: OrganizationId) -> list[Invitation]:
    """Open invitations of an organization, oldest first."""
    rows = session.scalars(
        select(InvitationRow)
        .where(InvitationRow.organization_id == organization_id, *_open())
        .order_by(InvitationRow.created_at_us, InvitationRow.invitation_id)
    )
    return [_from_row(row) for row in rows]


def close_invitation(
    session: WriteSession,
    invitation_id: str,
    *,
    member_id: MemberId | None = None,
    at_us: int | None = None,
) -> None:
    """Mark an invitation as accepted by a member, or as revoked."""
    session.execute(
        update(InvitationRow)
        .where(InvitationRow.invitation_id == invitation_id)
        .values(member_id=member_id, revoked_at_us=at_us)
    )


def invitations_taken_by(session: ReadSession, member_id: MemberId) -> list[str]:
    """Ids of the invitations that a member accepted."""
    found = select(InvitationRow.invitation_id).where(InvitationRow.member_id == member_id)
    return list(session.scalars(found))


def delete_untaken(
    session: WriteSession, organization_id: OrganizationId, before_us: int
) -> list[str]:
    """Delete invitations that expired before an instant without being accepted; returns their
    ids.
    """
    return _delete_untaken(session, organization_id, InvitationRow.expires_at_us < before_us)


def delete_untaken_of(
    session: WriteSession, organization_id: OrganizationId, email: str
) -> list[str]:
    """Delete the open invitations of an address, ignoring case; returns their ids."""
    return _delete_untaken(
        session, organization_id, func.lower(InvitationRow.email) == email.lower()
    )


def _delete_untaken(
    session: WriteSession, organization_id: OrganizationId, which: ColumnElement[bool]
) -> list[str]:
    doomed = (
        InvitationRow.organization_id == organization_id,
        InvitationRow.member_id.is_(None),
        which,
    )
    ids = list(session.scalars(select(InvitationRow.invitation_id).where(*doomed)))
    session.execute(delete(InvitationRow).where(*doomed))
    return ids


def forget_address(
    session: WriteSession, organization_id: OrganizationId, email: str, instead: str
) -> None:
    """Replace an address, ignoring case, in all invitations of an organization."""
    session.execute(
        update(InvitationRow)
        .where(
            InvitationRow.organization_id == organization_id,
            func.lower(InvitationRow.email) == email.lower(),
        )
        .values(email=instead)
    )


def _open() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return InvitationRow.member_id.is_(None), InvitationRow.revoked_at_us.is_(None)


def _from_row(row: InvitationRow) -> Invitation:
    return Invitation(
        invitation_id=row.invitation_id,
        organization_id=row.organization_id,
        email=row.email,
        role=Role(row.role),
        issuer=Issuer(member_id=row.issuer_id, token_id=row.token_id),
        created_at_us=row.created_at_us,
        expires_at_us=row.expires_at_us,
    )

"""Reading and writing password links."""

from sqlalchemy import delete, select

from outlay.domain.actor import Issuer
from outlay.domain.ids import MemberId, OrganizationId
from outlay.domain.organization import PasswordLink
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import MemberRow, PasswordLinkRow


def create_password_link(session: WriteSession, link: PasswordLink, digest: bytes) -> None:
    """Add a link, replacing the member's others."""
    delete_password_links(session, link.member_id)
    session.add(
        PasswordLinkRow(
            digest=digest,
            member_id=link.member_id,
            issuer_id=link.issuer.member_id,
            token_id=link.issuer.token_id,
            created_at_us=link.created_at_us,
            expires_at_us=link.expires_at_us,
        )
    )
    session.flush()


def find_password_link(session: ReadSession, digest: bytes, now_us: int) -> PasswordLink | None:
    """The link of a secret, None if it is unknown or has expired."""
    row = session.get(PasswordLinkRow, digest)
    return _from_row(row) if row is not None and row.expires_at_us > now_us else None


def list_password_links(
    session: ReadSession, organization_id: OrganizationId
) -> list[PasswordLink]:
    """The links of an organization's members, including expired ones, oldest first."""
    rows = session.scalars(
        select(PasswordLinkRow)
        .join(MemberRow, MemberRow.member_id == PasswordLinkRow.member_id)
        .where(MemberRow.organization_id == organization_id)
        .order_by(PasswordLinkRow.created_at_us, PasswordLinkRow.member_id)
    )
    return [_from_row(row) for row in rows]


def delete_expired_links(session: WriteSession, now_us: int) -> None:
    """Delete the expired links."""
    session.execute(delete(PasswordLinkRow).where(PasswordLinkRow.expires_at_us <= now_us))


def delete_password_links(session: WriteSession, member_id: MemberId) -> None:
    """Delete the links of a member."""
    session.execute(delete(PasswordLinkRow).where(PasswordLinkRow.member_id == member_id))


def _from_row(row: PasswordLinkRow) -> PasswordLink:
    return PasswordLink(
        member_id=row.member_id,
        issuer=Issuer(member_id=row.issuer_id, token_id=row.token_id),
        created_at_us=row.created_at_us,
        expires_at_us=row.expires_at_us,
    )

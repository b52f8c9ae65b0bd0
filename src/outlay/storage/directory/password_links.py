"""Reading and writing links to set a password with."""

from sqlalchemy import delete, select

from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import PasswordLinkRow


def create_password_link(
    session: WriteSession, digest: bytes, member_id: str, created_at_us: int, expires_at_us: int
) -> None:
    """Add a link, in place of those that the member had."""
    session.execute(delete(PasswordLinkRow).where(PasswordLinkRow.member_id == member_id))
    session.add(
        PasswordLinkRow(
            digest=digest,
            member_id=member_id,
            created_at_us=created_at_us,
            expires_at_us=expires_at_us,
        )
    )
    session.flush()


def find_password_link(session: ReadSession, digest: bytes, now_us: int) -> str | None:
    """The member whose password a link sets, None when it is unknown or has expired."""
    return session.scalars(
        select(PasswordLinkRow.member_id).where(
            PasswordLinkRow.digest == digest, PasswordLinkRow.expires_at_us > now_us
        )
    ).first()


def delete_expired_links(session: WriteSession, now_us: int) -> None:
    """Drop the links that have expired."""
    session.execute(delete(PasswordLinkRow).where(PasswordLinkRow.expires_at_us <= now_us))


def delete_password_links(session: WriteSession, member_id: str) -> None:
    """Make the links of a member useless."""
    session.execute(delete(PasswordLinkRow).where(PasswordLinkRow.member_id == member_id))

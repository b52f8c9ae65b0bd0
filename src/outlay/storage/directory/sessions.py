"""Reading and writing browser sessions."""

from dataclasses import dataclass

from sqlalchemy import delete, func, or_, select, update

from outlay.domain.ids import MemberId
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import SessionRow


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """A stored browser session, with the digest of its cookie."""

    digest: bytes
    member_id: MemberId
    created_at_us: int
    seen_at_us: int


def create_session(session: WriteSession, stored: StoredSession) -> None:
    """Add a session."""
    session.add(
        SessionRow(
            digest=stored.digest,
            member_id=stored.member_id,
            created_at_us=stored.created_at_us,
            seen_at_us=stored.seen_at_us,
        )
    )
    session.flush()


def find_session(session: ReadSession, digest: bytes) -> StoredSession | None:
    """A session by the digest of its cookie."""
    row = session.get(SessionRow, digest)
    if row is None:
        return None
    return StoredSession(
        digest=row.digest,
        member_id=row.member_id,
        created_at_us=row.created_at_us,
        seen_at_us=row.seen_at_us,
    )


def touch_session(session: WriteSession, digest: bytes, seen_at_us: int) -> None:
    """Record the use of a session."""
    session.execute(
        update(SessionRow).where(SessionRow.digest == digest).values(seen_at_us=seen_at_us)
    )


def delete_sessions_of(session: WriteSession, member_id: MemberId, but: bytes = b"") -> int:
    """Delete the sessions of a member except the one with a digest; returns how many."""
    doomed = (SessionRow.member_id == member_id, SessionRow.digest != but)
    count = session.scalar(select(func.count()).where(*doomed)) or 0
    session.execute(delete(SessionRow).where(*doomed))
    return count


def delete_ended_sessions(
    session: WriteSession, created_before_us: int, seen_before_us: int
) -> None:
    """Delete the sessions that began or were last used before an instant."""
    session.execute(
        delete(SessionRow).where(
            or_(
                SessionRow.created_at_us < created_before_us,
                SessionRow.seen_at_us < seen_before_us,
            )
        )
    )


def delete_session(session: WriteSession, digest: bytes) -> None:
    """Delete a session."""
    session.execute(delete(SessionRow).where(SessionRow.digest == digest))

"""Writing sessions and passwords in a change."""

from outlay.domain.ids import MemberId
from outlay.kit.secrets import digest_secret, new_secret
from outlay.services.directory.audited_changes import Change
from outlay.storage.directory.members import (
    set_password,
)
from outlay.storage.directory.password_links import delete_password_links
from outlay.storage.directory.sessions import (
    StoredSession,
    create_session,
    delete_sessions_of,
)


def put_password(
    change: Change, member_id: MemberId, password_hash: str, kept: bytes = b""
) -> None:
    """Set a password; deletes password links and all sessions but one."""
    set_password(change.session, member_id, password_hash)
    delete_password_links(change.session, member_id)
    delete_sessions_of(change.session, member_id, kept)


def open_session(change: Change, member_id: MemberId) -> str:
    """Create a session of a member; returns its token, which is not stored."""
    token = new_secret()
    create_session(
        change.session,
        StoredSession(
            digest=digest_secret(token),
            member_id=member_id,
            created_at_us=change.now_us,
            seen_at_us=change.now_us,
        ),
    )
    return token

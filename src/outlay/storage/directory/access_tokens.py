"""Reading and writing access tokens."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from outlay.domain.actor import Scope
from outlay.storage.directory.tables import AccessTokenRow


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredToken:
    """An access token as it is kept: without its secret."""

    token_id: str
    member_id: str
    description: str
    digest: bytes
    scopes: frozenset[Scope]
    expires_at_us: int | None = None
    is_revoked: bool = False


def create_access_token(session: Session, token: StoredToken, created_at_us: int) -> None:
    """Add an access token."""
    session.add(
        AccessTokenRow(
            token_id=token.token_id,
            member_id=token.member_id,
            description=token.description,
            digest=token.digest,
            scopes=" ".join(sorted(token.scopes)),
            created_at_us=created_at_us,
            expires_at_us=token.expires_at_us,
            revoked_at_us=None,
        )
    )
    session.flush()


def find_access_token(session: Session, token_id: str) -> StoredToken | None:
    """An access token by id, revoked and expired ones included."""
    row = session.get(AccessTokenRow, token_id)
    if row is None:
        return None
    return StoredToken(
        token_id=row.token_id,
        member_id=row.member_id,
        description=row.description,
        digest=row.digest,
        scopes=frozenset(Scope(scope) for scope in row.scopes.split()),
        expires_at_us=row.expires_at_us,
        is_revoked=row.revoked_at_us is not None,
    )


def revoke_access_token(session: Session, token_id: str, revoked_at_us: int) -> None:
    """Make an access token useless from now on."""
    row = session.get(AccessTokenRow, token_id)
    if row is not None and row.revoked_at_us is None:
        row.revoked_at_us = revoked_at_us

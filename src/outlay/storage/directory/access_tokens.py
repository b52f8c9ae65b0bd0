"""Reading and writing access tokens."""

from sqlalchemy import ColumnElement, select, update

from outlay.domain.access_token import AccessToken
from outlay.domain.actor import Scope
from outlay.domain.ids import MemberId, OrganizationId, TokenId
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import AccessTokenRow, MemberRow


def create_access_token(session: WriteSession, token: AccessToken, digest: bytes) -> None:
    """Add an access token, its secret as a digest."""
    session.add(
        AccessTokenRow(
            token_id=token.token_id,
            member_id=token.member_id,
            parent_id=token.parent_id,
            description=token.description,
            digest=digest,
            scopes=" ".join(sorted(token.scopes)),
            created_at_us=token.created_at_us,
            expires_at_us=token.expires_at_us,
            revoked_at_us=None,
        )
    )
    session.flush()


def find_access_token(session: ReadSession, token_id: TokenId) -> tuple[AccessToken, bytes] | None:
    """An access token and the digest of its secret, even if it is revoked or expired."""
    row = session.get(AccessTokenRow, token_id)
    return (_from_row(row), row.digest) if row else None


def list_access_tokens(session: ReadSession, organization_id: OrganizationId) -> list[AccessToken]:
    """Access tokens of an organization's members, including revoked ones, oldest first."""
    rows = session.scalars(
        select(AccessTokenRow)
        .join(MemberRow, MemberRow.member_id == AccessTokenRow.member_id)
        .where(MemberRow.organization_id == organization_id)
        .order_by(AccessTokenRow.created_at_us, AccessTokenRow.token_id)
    )
    return [_from_row(row) for row in rows]


def revoke_access_token(
    session: WriteSession, token_id: TokenId, revoked_at_us: int
) -> list[TokenId]:
    """Revoke an access token and all tokens created with it; returns their ids."""
    revoked: list[TokenId] = []
    doomed = [token_id]
    while doomed:
        revoked += _revoke(session, AccessTokenRow.token_id.in_(doomed), revoked_at_us)
        children = select(AccessTokenRow.token_id).where(AccessTokenRow.parent_id.in_(doomed))
        doomed = list(session.scalars(children))
    return revoked


def revoke_tokens_of(
    session: WriteSession, member_id: MemberId, revoked_at_us: int
) -> list[TokenId]:
    """Revoke all access tokens of a member; returns the ids of those that were valid."""
    return _revoke(session, AccessTokenRow.member_id == member_id, revoked_at_us)


def _revoke(session: WriteSession, which: ColumnElement[bool], revoked_at_us: int) -> list[TokenId]:
    good = (which, AccessTokenRow.revoked_at_us.is_(None))
    ids = list(session.scalars(select(AccessTokenRow.token_id).where(*good)))
    session.execute(update(AccessTokenRow).where(*good).values(revoked_at_us=revoked_at_us))
    return sorted(ids)


def _from_row(row: AccessTokenRow) -> AccessToken:
    return AccessToken(
        token_id=row.token_id,
        member_id=row.member_id,
        description=row.description,
        scopes=frozenset(Scope(scope) for scope in row.scopes.split()),
        created_at_us=row.created_at_us,
        expires_at_us=row.expires_at_us,
        is_revoked=row.revoked_at_us is not None,
        parent_id=row.parent_id,
    )

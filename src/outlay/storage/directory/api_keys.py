"""Reading and writing API keys."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select, update

from outlay.domain.errors import Damaged
from outlay.domain.ids import ApiKeyId, MemberId, OrganizationId
from outlay.domain.organization import ApiKey
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import ApiKeyRow, ProjectRow

_IDS_AT_ONCE: Final = 1_000


def create_api_key(
    session: WriteSession, api_key: ApiKey, created_at_us: int, secret_digest: bytes | None = None
) -> None:
    """Add an API key; without a digest it cannot authenticate calls."""
    session.add(
        ApiKeyRow(
            api_key_id=api_key.api_key_id,
            organization_id=api_key.organization_id,
            project_id=api_key.project_id,
            member_id=api_key.member_id,
            description=api_key.description,
            secret_digest=secret_digest,
            hint=api_key.hint,
            trusts_caller=api_key.trusts_caller,
            expires_at_us=api_key.expires_at_us,
            created_at_us=created_at_us,
            deleted_at_us=None,
        )
    )
    session.flush()


def update_api_key(session: WriteSession, api_key: ApiKey) -> None:
    """Replace description, trust and expiry of an API key."""
    session.execute(
        update(ApiKeyRow)
        .where(ApiKeyRow.api_key_id == api_key.api_key_id)
        .values(
            description=api_key.description,
            trusts_caller=api_key.trusts_caller,
            expires_at_us=api_key.expires_at_us,
        )
    )


def delete_api_key(session: WriteSession, api_key_id: ApiKeyId, deleted_at_us: int) -> None:
    """Mark an API key as deleted; the description remains for reports."""
    session.execute(
        update(ApiKeyRow)
        .where(ApiKeyRow.api_key_id == api_key_id)
        .values(deleted_at_us=deleted_at_us)
    )


def revoke_api_key(session: WriteSession, api_key_id: ApiKeyId, revoked_at_us: int) -> None:
    """Revoke an API key."""
    session.execute(
        update(ApiKeyRow)
        .where(ApiKeyRow.api_key_id == api_key_id, ApiKeyRow.revoked_at_us.is_(None))
        .values(revoked_at_us=revoked_at_us)
    )


def revoke_keys_of(session: WriteSession, member_id: MemberId, revoked_at_us: int) -> list[str]:
    """Revoke all API keys attributed to a member; returns the ids of those that were valid."""
    good = (
        ApiKeyRow.member_id == member_id,
        ApiKeyRow.revoked_at_us.is_(None),
        ApiKeyRow.deleted_at_us.is_(None),
    )
    ids = list(session.scalars(select(ApiKeyRow.api_key_id).where(*good)))
    session.execute(update(ApiKeyRow).where(*good).values(revoked_at_us=revoked_at_us))
    return sorted(ids)


def find_credentials(
    session: ReadSession, api_key_ids: Sequence[str]
) -> dict[str, tuple[ApiKey, bytes] | Damaged]:
    """The API keys with some ids and the digests of their secrets, including revoked and expired
    ones.

    Keys of deleted projects are left out. A damaged key is replaced by the error.
    """
    found: dict[str, tuple[ApiKey, bytes] | Damaged] = {}
    for start in range(0, len(api_key_ids), _IDS_AT_ONCE):
        rows = session.scalars(
            select(ApiKeyRow)
            .join(ProjectRow, ProjectRow.project_id == ApiKeyRow.project_id)
            .where(
                ApiKeyRow.api_key_id.in_(api_key_ids[start : start + _IDS_AT_ONCE]),
                ApiKeyRow.secret_digest.is_not(None),
                ProjectRow.deleted_at_us.is_(None),
            )
        )
        listed = rows.all()
        for row, damage in zip(listed, session.damage_of(listed), strict=True):
            if row.secret_digest is not None:
                found[row.api_key_id] = damage or (_from_row(row), row.secret_digest)
    return found


def list_api_keys(session: ReadSession, organization_id: OrganizationId) -> list[ApiKey]:
    """API keys of an organization, including deleted ones, by description."""
    rows = session.scalars(
        select(ApiKeyRow)
        .where(ApiKeyRow.organization_id == organization_id)
        .order_by(ApiKeyRow.description, ApiKeyRow.api_key_id)
    )
    return [_from_row(row) for row in rows]


def find_api_key(session: ReadSession, api_key_id: ApiKeyId) -> ApiKey | None:
    """An API key, also a deleted one."""
    row = session.get(ApiKeyRow, api_key_id)
    return None if row is None else _from_row(row)


def _from_row(row: ApiKeyRow) -> ApiKey:
    return ApiKey(
        api_key_id=row.api_key_id,
        organization_id=row.organization_id,
        project_id=row.project_id,
        member_id=row.member_id,
        description=row.description,
        hint=row.hint,
        trusts_caller=row.trusts_caller,
        expires_at_us=row.expires_at_us,
        created_at_us=row.created_at_us,
        is_revoked=row.revoked_at_us is not None,
        is_deleted=row.deleted_at_us is not None,
    )

"""Reading and writing API keys."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from outlay.domain.organization import ApiKey
from outlay.storage.directory.tables import ApiKeyRow


def create_api_key(session: Session, api_key: ApiKey, created_at_us: int) -> None:
    """Add an API key."""
    session.add(
        ApiKeyRow(
            api_key_id=api_key.api_key_id,
            organization_id=api_key.organization_id,
            project_id=api_key.project_id,
            member_id=api_key.member_id,
            description=api_key.description,
            created_at_us=created_at_us,
            deleted_at_us=None,
        )
    )
    session.flush()


def delete_api_key(session: Session, api_key_id: str, deleted_at_us: int) -> None:
    """Mark an API key as deleted; the description stays for reports."""
    session.execute(
        update(ApiKeyRow)
        .where(ApiKeyRow.api_key_id == api_key_id)
        .values(deleted_at_us=deleted_at_us)
    )


def list_api_keys(session: Session, organization_id: str) -> list[ApiKey]:
    """API keys of an organization, deleted ones included, by description."""
    rows = session.scalars(
        select(ApiKeyRow)
        .where(ApiKeyRow.organization_id == organization_id)
        .order_by(ApiKeyRow.description, ApiKeyRow.api_key_id)
    )
    return [
        ApiKey(
            api_key_id=row.api_key_id,
            organization_id=row.organization_id,
            project_id=row.project_id,
            member_id=row.member_id,
            description=row.description,
            is_deleted=row.deleted_at_us is not None,
        )
        for row in rows
    ]

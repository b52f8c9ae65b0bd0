"""Reading and writing registered tags and their values."""

from collections.abc import Iterable

from sqlalchemy import delete, select

from outlay.domain.ids import OrganizationId
from outlay.domain.tag import TagKey
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import TagKeyRow, TagValueRow


def list_tag_keys(session: ReadSession, organization_id: OrganizationId) -> list[TagKey]:
    """The registered keys of an organization, by name."""
    rows = session.scalars(
        select(TagKeyRow)
        .where(TagKeyRow.organization_id == organization_id)
        .order_by(TagKeyRow.key)
    )
    return [
        TagKey(organization_id=row.organization_id, key=row.key, created_at_us=row.created_at_us)
        for row in rows
    ]


def create_tag_key(session: WriteSession, key: TagKey) -> None:
    """Register a key."""
    session.add(
        TagKeyRow(organization_id=key.organization_id, key=key.key, created_at_us=key.created_at_us)
    )
    session.flush()


def delete_tag_key(session: WriteSession, organization_id: OrganizationId, key: str) -> None:
    """Unregister a key; its values remain in case it is registered again."""
    session.execute(
        delete(TagKeyRow).where(TagKeyRow.organization_id == organization_id, TagKeyRow.key == key)
    )


def list_tag_values(session: ReadSession, organization_id: OrganizationId) -> dict[str, set[str]]:
    """The recorded values, by key."""
    found: dict[str, set[str]] = {}
    rows = session.execute(
        select(TagValueRow.key, TagValueRow.value).where(
            TagValueRow.organization_id == organization_id
        )
    )
    for key, value in rows:
        found.setdefault(key, set()).add(value)
    return found


def create_tag_values(
    session: WriteSession, organization_id: OrganizationId, pairs: Iterable[tuple[str, str]]
) -> None:
    """Store new values."""
    session.add_all(
        TagValueRow(organization_id=organization_id, key=key, value=value)
        for key, value in sorted(pairs)
    )
    session.flush()

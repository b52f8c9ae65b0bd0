"""Reading and writing upstreams and model mappings."""

from dataclasses import dataclass

from sqlalchemy import delete, select, update

from outlay.domain.ids import OrganizationId, UpstreamId
from outlay.domain.upstream import ModelMapping, Upstream
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import ModelMappingRow, UpstreamRow


@dataclass(frozen=True, slots=True)
class StoredUpstream:
    """An upstream with its sealed secret, None without one."""

    upstream: Upstream
    sealed_secret: bytes | None


def create_upstream(session: WriteSession, stored: StoredUpstream, created_at_us: int) -> None:
    """Add an upstream."""
    upstream = stored.upstream
    session.add(
        UpstreamRow(
            upstream_id=upstream.upstream_id,
            organization_id=upstream.organization_id,
            name=upstream.name,
            provider=upstream.provider,
            base_url=upstream.base_url,
            sealed_secret=stored.sealed_secret,
            hint=upstream.hint,
            asks_usage=upstream.asks_usage,
            created_at_us=created_at_us,
            deleted_at_us=None,
        )
    )
    session.flush()


def update_upstream(session: WriteSession, stored: StoredUpstream) -> None:
    """Replace what can be changed of an upstream."""
    upstream = stored.upstream
    session.execute(
        update(UpstreamRow)
        .where(UpstreamRow.upstream_id == upstream.upstream_id)
        .values(
            name=upstream.name,
            base_url=upstream.base_url,
            sealed_secret=stored.sealed_secret,
            hint=upstream.hint,
            asks_usage=upstream.asks_usage,
        )
    )


def delete_upstream(session: WriteSession, upstream_id: UpstreamId, deleted_at_us: int) -> None:
    """Mark an upstream as deleted and delete its secret."""
    session.execute(
        update(UpstreamRow)
        .where(UpstreamRow.upstream_id == upstream_id)
        .values(deleted_at_us=deleted_at_us, sealed_secret=None)
    )


def list_upstreams(session: ReadSession, organization_id: OrganizationId) -> list[StoredUpstream]:
    """The active upstreams of an organization, oldest first."""
    rows = session.scalars(
        select(UpstreamRow)
        .where(UpstreamRow.organization_id == organization_id, UpstreamRow.deleted_at_us.is_(None))
        .order_by(UpstreamRow.created_at_us, UpstreamRow.upstream_id)
    )
    return [_from_row(row) for row in rows]


def _from_row(row: UpstreamRow) -> StoredUpstream:
    upstream = Upstream(
        upstream_id=row.upstream_id,
        organization_id=row.organization_id,
        name=row.name,
        provider=row.provider,
        base_url=row.base_url,
        hint=row.hint,
        asks_usage=row.asks_usage,
        created_at_us=row.created_at_us,
    )
    return StoredUpstream(upstream, row.sealed_secret)


def find_sealed(session: ReadSession) -> StoredUpstream | None:
    """Any upstream with a secret, to check the master key."""
    found = select(UpstreamRow).where(UpstreamRow.sealed_secret.is_not(None)).limit(1)
    row = session.scalars(found).first()
    return _from_row(row) if row else None


def put_model_mapping(session: WriteSession, mapping: ModelMapping, created_at_us: int) -> None:
    """Add a model mapping, or replace the one of that name."""
    session.merge(
        ModelMappingRow(
            organization_id=mapping.organization_id,
            name=mapping.name,
            upstream_id=mapping.upstream_id,
            model=mapping.model,
            created_at_us=created_at_us,
        )
    )
    session.flush()


def delete_model_mapping(session: WriteSession, organization_id: OrganizationId, name: str) -> None:
    """Remove a model mapping."""
    session.execute(
        delete(ModelMappingRow).where(
            ModelMappingRow.organization_id == organization_id, ModelMappingRow.name == name
        )
    )


def list_model_mappings(
    session: ReadSession, organization_id: OrganizationId
) -> list[ModelMapping]:
    """Model mappings of an organization, by name."""
    rows = session.scalars(
        select(ModelMappingRow)
        .where(ModelMappingRow.organization_id == organization_id)
        .order_by(ModelMappingRow.name)
    )
    return [
        ModelMapping(
            organization_id=row.organization_id,
            name=row.name,
            upstream_id=row.upstream_id,
            model=row.model,
            created_at_us=row.created_at_us,
        )
        for row in rows
    ]

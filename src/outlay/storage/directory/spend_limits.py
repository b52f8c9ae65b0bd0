"""Reading and writing spend limits."""

from dataclasses import replace

from sqlalchemy import delete, select

from outlay.domain.ids import OrganizationId
from outlay.domain.spend_limit import LimitInterval, LimitScope, SpendLimit
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import SpendLimitRow


def put_spend_limit(session: WriteSession, limit: SpendLimit, created_at_us: int) -> None:
    """Add a limit, or replace the amount of the one for the same scope and interval."""
    session.merge(
        SpendLimitRow(
            organization_id=limit.organization_id,
            scope=limit.scope.value,
            scope_id=limit.scope_id,
            interval=limit.interval.value,
            amount_pusd=limit.amount_pusd,
            created_at_us=created_at_us,
        )
    )
    session.flush()


def delete_spend_limit(session: WriteSession, limit: SpendLimit) -> None:
    """Delete the limit of a scope and interval, whatever its amount."""
    session.execute(
        delete(SpendLimitRow).where(
            SpendLimitRow.organization_id == limit.organization_id,
            SpendLimitRow.scope == limit.scope.value,
            SpendLimitRow.scope_id == limit.scope_id,
            SpendLimitRow.interval == limit.interval.value,
        )
    )


def find_spend_limit(session: ReadSession, wanted: SpendLimit) -> SpendLimit | None:
    """The limit of a scope and interval, whatever its amount."""
    key = (wanted.organization_id, wanted.scope.value, wanted.scope_id, wanted.interval.value)
    row = session.get(SpendLimitRow, key)
    return replace(wanted, amount_pusd=row.amount_pusd) if row else None


def list_spend_limits(session: ReadSession, organization_id: OrganizationId) -> list[SpendLimit]:
    """Limits of an organization."""
    # Plain values instead of tracked rows: there may be thousands, read again at each change.
    rows = session.execute(
        select(
            SpendLimitRow.scope,
            SpendLimitRow.scope_id,
            SpendLimitRow.interval,
            SpendLimitRow.amount_pusd,
        )
        .where(SpendLimitRow.organization_id == organization_id)
        .order_by(SpendLimitRow.scope, SpendLimitRow.scope_id, SpendLimitRow.interval)
    )
    return [
        SpendLimit(
            organization_id=organization_id,
            scope=LimitScope(scope),
            scope_id=scope_id,
            interval=LimitInterval(interval),
            amount_pusd=amount_pusd,
        )
        for scope, scope_id, interval, amount_pusd in rows
    ]

"""Reading and writing reconciliations."""

import msgspec
from sqlalchemy import select

from outlay.domain.ids import OrganizationId
from outlay.domain.reconciliation import Reconciliation
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import ReconciliationRow


def create_reconciliation(session: WriteSession, reconciliation: Reconciliation) -> None:
    """Add a reconciliation."""
    session.add(
        ReconciliationRow(
            reconciliation_id=reconciliation.reconciliation_id,
            organization_id=reconciliation.organization_id,
            created_at_us=reconciliation.created_at_us,
            content=msgspec.json.encode(reconciliation).decode(),
        )
    )
    session.flush()


def find_reconciliation(session: ReadSession, reconciliation_id: str) -> Reconciliation | None:
    """A reconciliation."""
    row = session.get(ReconciliationRow, reconciliation_id)
    return _from_row(row) if row else None


def list_reconciliations(
    session: ReadSession, organization_id: OrganizationId
) -> list[Reconciliation]:
    """The reconciliations of an organization, newest first."""
    rows = session.scalars(
        select(ReconciliationRow)
        .where(ReconciliationRow.organization_id == organization_id)
        .order_by(ReconciliationRow.created_at_us.desc(), ReconciliationRow.reconciliation_id)
    )
    return [_from_row(row) for row in rows]


def _from_row(row: ReconciliationRow) -> Reconciliation:
    return msgspec.json.decode(row.content, type=Reconciliation)

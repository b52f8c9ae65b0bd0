"""Reading and writing repricing runs."""

import msgspec
from sqlalchemy import select, update

from outlay.domain.ids import OrganizationId
from outlay.domain.repricing import Reprice
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import RepriceRow


def create_reprice(session: WriteSession, reprice: Reprice) -> None:
    """Add a run."""
    session.add(
        RepriceRow(
            reprice_id=reprice.reprice_id,
            organization_id=reprice.organization_id,
            created_at_us=reprice.created_at_us,
            content=msgspec.json.encode(reprice).decode(),
        )
    )
    session.flush()


def update_reprice(session: WriteSession, reprice: Reprice) -> None:
    """Update the state and results of a run."""
    session.execute(
        update(RepriceRow)
        .where(RepriceRow.reprice_id == reprice.reprice_id)
        .values(content=msgspec.json.encode(reprice).decode())
    )


def find_reprice(session: ReadSession, reprice_id: str) -> Reprice | None:
    """A run."""
    row = session.get(RepriceRow, reprice_id)
    return _from_row(row) if row else None


def list_reprices(session: ReadSession, organization_id: OrganizationId) -> list[Reprice]:
    """The runs of an organization, newest first."""
    rows = session.scalars(
        select(RepriceRow)
        .where(RepriceRow.organization_id == organization_id)
        .order_by(RepriceRow.created_at_us.desc(), RepriceRow.reprice_id.desc())
    )
    return [_from_row(row) for row in rows]


def _from_row(row: RepriceRow) -> Reprice:
    return msgspec.json.decode(row.content, type=Reprice)

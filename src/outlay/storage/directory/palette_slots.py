"""Reading and writing chart colours."""

from collections.abc import Mapping

from sqlalchemy import select

from outlay.domain.ids import OrganizationId
from outlay.storage.directory.session import ReadSession, WriteSession
from outlay.storage.directory.tables import PaletteSlotRow


def list_slots(
    session: ReadSession, organization_id: OrganizationId, dimension: str
) -> dict[str, int]:
    """Colour slot by key of a dimension."""
    rows = session.scalars(
        select(PaletteSlotRow).where(
            PaletteSlotRow.organization_id == organization_id,
            PaletteSlotRow.dimension == dimension,
        )
    )
    return {row.key: row.slot for row in rows}


def create_slots(
    session: WriteSession, organization_id: OrganizationId, dimension: str, slots: Mapping[str, int]
) -> None:
    """Store the slots of keys that have none."""
    session.add_all(
        PaletteSlotRow(organization_id=organization_id, dimension=dimension, key=key, slot=slot)
        for key, slot in slots.items()
    )
    session.flush()

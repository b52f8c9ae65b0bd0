"""Reading and writing chart colours."""

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from outlay.storage.directory.tables import PaletteSlotRow


def list_slots(session: Session, organization_id: str, dimension: str) -> dict[str, int]:
    """Colour slot by key of a dimension."""
    rows = session.scalars(
        select(PaletteSlotRow).where(
            PaletteSlotRow.organization_id == organization_id,
            PaletteSlotRow.dimension == dimension,
        )
    )
    return {row.key: row.slot for row in rows}


def create_slots(
    session: Session, organization_id: str, dimension: str, slots: Mapping[str, int]
) -> None:
    """Remember the slots of keys that had none; the first writer wins."""
    for key, slot in slots.items():
        identity = (organization_id, dimension, key)
        if session.get(PaletteSlotRow, identity) is None:
            session.add(
                PaletteSlotRow(
                    organization_id=organization_id, dimension=dimension, key=key, slot=slot
                )
            )

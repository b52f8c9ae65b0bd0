"""Table of chart colours."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import OrganizationId
from outlay.storage.directory.tables.base import Base


class PaletteSlotRow(Base):
    """The colour slot that an entity got when it was first shown, so that its colour never
    changes.
    """

    __tablename__ = "palette_slot"

    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id"), primary_key=True
    )
    dimension: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    slot: Mapped[int]

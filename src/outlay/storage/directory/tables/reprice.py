"""Table of repricing runs."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import OrganizationId
from outlay.storage.directory.tables.base import Base


class RepriceRow(Base):
    """A run, as JSON."""

    __tablename__ = "reprice"

    reprice_id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id"), index=True
    )
    created_at_us: Mapped[int]
    content: Mapped[str]

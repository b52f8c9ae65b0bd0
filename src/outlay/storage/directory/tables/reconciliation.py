"""Table of reconciliations."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import OrganizationId
from outlay.storage.directory.tables.base import Base


class ReconciliationRow(Base):
    """A reconciliation of a bill, as JSON."""

    __tablename__ = "reconciliation"

    reconciliation_id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id"), index=True
    )
    created_at_us: Mapped[int]
    content: Mapped[str]

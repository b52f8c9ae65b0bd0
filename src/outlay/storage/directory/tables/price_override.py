"""Table of price overrides."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import OrganizationId
from outlay.storage.directory.tables.base import Base


class PriceOverrideRow(Base):
    """A price of an organization: the fields of a `[[price]]` table as JSON."""

    __tablename__ = "price_override"

    price_id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id"), index=True
    )
    number: Mapped[int]
    entry: Mapped[str]
    created_at_us: Mapped[int]
    deleted_at_us: Mapped[int | None]

"""Table of discovered entities."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import OrganizationId
from outlay.storage.directory.tables.base import Base


class DiscoveredRow(Base):
    """A reported value, its display name, and what it is merged into."""

    __tablename__ = "discovered"

    discovered_id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id")
    )
    dimension: Mapped[str]
    value: Mapped[str]
    name: Mapped[str]
    source: Mapped[str]
    merged_into: Mapped[str] = mapped_column(server_default="")
    created_at_us: Mapped[int]


Index(
    "discovered#value",
    DiscoveredRow.organization_id,
    DiscoveredRow.dimension,
    DiscoveredRow.value,
    unique=True,
)

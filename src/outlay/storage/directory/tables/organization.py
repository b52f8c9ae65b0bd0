"""Table of organizations."""

from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import OrganizationId
from outlay.storage.directory.tables.base import Base


class OrganizationRow(Base):
    """A tenant."""

    __tablename__ = "organization"

    organization_id: Mapped[OrganizationId] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    slug: Mapped[str] = mapped_column(unique=True)
    plan: Mapped[str]
    timezone: Mapped[str]
    created_at_us: Mapped[int]

"""Table of spend limits."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import OrganizationId
from outlay.domain.money import Pusd
from outlay.storage.directory.tables.base import Base


class SpendLimitRow(Base):
    """An amount that a key, project or member may spend per day, week or month."""

    __tablename__ = "spend_limit"

    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id"), primary_key=True
    )
    scope: Mapped[str] = mapped_column(primary_key=True)
    scope_id: Mapped[str] = mapped_column(primary_key=True)
    interval: Mapped[str] = mapped_column(primary_key=True)
    amount_pusd: Mapped[Pusd]
    created_at_us: Mapped[int]

"""Table of exchange rates."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import OrganizationId
from outlay.storage.directory.tables.base import Base


class ExchangeRateRow(Base):
    """The value of one unit of a currency in USD, from a day on."""

    __tablename__ = "exchange_rate"

    rate_id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id"), index=True
    )
    currency: Mapped[str]
    effective_from: Mapped[str | None]
    """`YYYY-MM-DD`; NULL for always."""
    usd: Mapped[str]
    created_at_us: Mapped[int]
    deleted_at_us: Mapped[int | None]

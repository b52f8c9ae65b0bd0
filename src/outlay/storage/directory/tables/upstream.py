"""Table of upstreams."""

from sqlalchemy import ForeignKey, true
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import OrganizationId, UpstreamId
from outlay.storage.directory.tables.base import Base


class UpstreamRow(Base):
    """A configured endpoint of a provider, its secret sealed."""

    __tablename__ = "upstream"

    upstream_id: Mapped[UpstreamId] = mapped_column(primary_key=True)
    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id"), index=True
    )
    name: Mapped[str]
    provider: Mapped[str]
    base_url: Mapped[str]
    sealed_secret: Mapped[bytes | None]
    hint: Mapped[str]
    asks_usage: Mapped[bool] = mapped_column(server_default=true())
    created_at_us: Mapped[int]
    deleted_at_us: Mapped[int | None]

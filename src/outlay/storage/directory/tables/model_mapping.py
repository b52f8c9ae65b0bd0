"""Table of model mappings."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import OrganizationId, UpstreamId
from outlay.storage.directory.tables.base import Base


class ModelMappingRow(Base):
    """A name of the organization's own for a model of an upstream."""

    __tablename__ = "model_mapping"

    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id"), primary_key=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    upstream_id: Mapped[UpstreamId] = mapped_column(ForeignKey("upstream.upstream_id"), index=True)
    model: Mapped[str]
    created_at_us: Mapped[int]

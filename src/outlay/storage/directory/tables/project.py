"""Table of projects."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import OrganizationId, ProjectId
from outlay.storage.directory.tables.base import Base


class ProjectRow(Base):
    """A group of API keys."""

    __tablename__ = "project"

    project_id: Mapped[ProjectId] = mapped_column(primary_key=True)
    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id"), index=True
    )
    name: Mapped[str]
    created_at_us: Mapped[int]
    deleted_at_us: Mapped[int | None]

"""Table of user groups."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import GroupId, OrganizationId
from outlay.storage.directory.tables.base import Base


class UserGroupRow(Base):
    """A named set of members for reporting."""

    __tablename__ = "user_group"

    group_id: Mapped[GroupId] = mapped_column(primary_key=True)
    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id"), index=True
    )
    name: Mapped[str]
    created_at_us: Mapped[int]
    deleted_at_us: Mapped[int | None]

"""Tables of tags: the keys that organizations have registered, and the recorded values of each."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import OrganizationId
from outlay.storage.directory.tables.base import Base


class TagKeyRow(Base):
    """A registered key."""

    __tablename__ = "tag_key"

    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    created_at_us: Mapped[int]


class TagValueRow(Base):
    """A recorded value of a key; their number is bounded."""

    __tablename__ = "tag_value"

    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)

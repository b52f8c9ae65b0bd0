"""Table of members."""

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import MemberId, OrganizationId
from outlay.storage.directory.tables.base import Base


class MemberRow(Base):
    """A person in an organization; e-mail addresses are unique among its current members."""

    __tablename__ = "member"

    member_id: Mapped[MemberId] = mapped_column(primary_key=True)
    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id"), index=True
    )
    name: Mapped[str]
    email: Mapped[str]
    role: Mapped[str]
    password_hash: Mapped[str | None]
    created_at_us: Mapped[int]
    deleted_at_us: Mapped[int | None]


# Organizations are independent of each other; a removed member may be invited again.
Index(
    "member#email#present",
    MemberRow.organization_id,
    func.lower(MemberRow.email),
    unique=True,
    sqlite_where=MemberRow.deleted_at_us.is_(None),
    postgresql_where=MemberRow.deleted_at_us.is_(None),
)

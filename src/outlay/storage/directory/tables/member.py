"""Table of members."""

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from outlay.storage.directory.tables.base import Base


class MemberRow(Base):
    """A person of an organization; an e-mail address signs in to one organization."""

    __tablename__ = "member"

    member_id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(
        ForeignKey("organization.organization_id"), index=True
    )
    name: Mapped[str]
    email: Mapped[str]
    role: Mapped[str]
    password_hash: Mapped[str | None]
    created_at_us: Mapped[int]
    deleted_at_us: Mapped[int | None]


# Who has left may be invited again, here or elsewhere.
Index(
    "member#email#present",
    func.lower(MemberRow.email),
    unique=True,
    sqlite_where=MemberRow.deleted_at_us.is_(None),
    postgresql_where=MemberRow.deleted_at_us.is_(None),
)

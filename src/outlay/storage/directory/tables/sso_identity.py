"""Table of identities at OpenID Connect providers."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import MemberId, OrganizationId
from outlay.storage.directory.tables.base import Base


class SsoIdentityRow(Base):
    """The member that a provider's subject belongs to."""

    __tablename__ = "sso_identity"

    issuer: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id"), primary_key=True
    )
    member_id: Mapped[MemberId] = mapped_column(ForeignKey("member.member_id"), index=True)
    created_at_us: Mapped[int]

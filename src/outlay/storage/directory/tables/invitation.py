"""Table of invitations."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import MemberId, OrganizationId, TokenId
from outlay.storage.directory.tables.base import Base


class InvitationRow(Base):
    """An invitation, with the digest of its link's secret."""

    __tablename__ = "invitation"

    invitation_id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id"), index=True
    )
    email: Mapped[str]
    role: Mapped[str]
    digest: Mapped[bytes] = mapped_column(unique=True)
    created_at_us: Mapped[int]
    expires_at_us: Mapped[int]
    member_id: Mapped[MemberId | None] = mapped_column(ForeignKey("member.member_id"))
    """The member who accepted it; None while it is open."""
    issuer_id: Mapped[MemberId | None] = mapped_column(ForeignKey("member.member_id"))
    """The member who created it; None for the operator."""
    token_id: Mapped[TokenId | None] = mapped_column(ForeignKey("access_token.token_id"))
    """The access token that created it, if any."""
    revoked_at_us: Mapped[int | None]

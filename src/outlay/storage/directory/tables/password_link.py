"""Table of password links."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import MemberId, TokenId
from outlay.storage.directory.tables.base import Base


class PasswordLinkRow(Base):
    """A one-time link, with the digest of its secret."""

    __tablename__ = "password_link"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    member_id: Mapped[MemberId] = mapped_column(ForeignKey("member.member_id"), index=True)
    issuer_id: Mapped[MemberId | None] = mapped_column(ForeignKey("member.member_id"))
    """The member who created it; None for the operator."""
    token_id: Mapped[TokenId | None] = mapped_column(ForeignKey("access_token.token_id"))
    """The access token that created it, if any."""
    created_at_us: Mapped[int]
    expires_at_us: Mapped[int]

"""Table of links to set a password with."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import MemberId
from outlay.storage.directory.tables.base import Base


class PasswordLinkRow(Base):
    """A link that works once, kept as a digest."""

    __tablename__ = "password_link"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    member_id: Mapped[MemberId] = mapped_column(ForeignKey("member.member_id"), index=True)
    issuer_id: Mapped[MemberId | None] = mapped_column(ForeignKey("member.member_id"))
    """Who made it; None for the operator."""
    token_id: Mapped[str | None] = mapped_column(ForeignKey("access_token.token_id"))
    """The access token that it was made with, where it was one."""
    created_at_us: Mapped[int]
    expires_at_us: Mapped[int]

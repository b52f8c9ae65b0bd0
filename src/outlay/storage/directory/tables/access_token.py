"""Table of access tokens."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import MemberId, TokenId
from outlay.storage.directory.tables.base import Base


class AccessTokenRow(Base):
    """A credential for the JSON API, kept as a digest."""

    __tablename__ = "access_token"

    token_id: Mapped[TokenId] = mapped_column(primary_key=True)
    member_id: Mapped[MemberId] = mapped_column(ForeignKey("member.member_id"), index=True)
    parent_id: Mapped[TokenId | None]
    """The access token that created it, if any. No foreign key: rows are copied in the order of
    their keys, in which a child may come first.
    """
    description: Mapped[str]
    digest: Mapped[bytes]
    scopes: Mapped[str]
    """Space-separated."""
    created_at_us: Mapped[int]
    expires_at_us: Mapped[int | None]
    revoked_at_us: Mapped[int | None]

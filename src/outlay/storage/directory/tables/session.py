"""Table of browser sessions."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import MemberId
from outlay.storage.directory.tables.base import Base


class SessionRow(Base):
    """A signed-in browser, kept as a digest of its cookie."""

    __tablename__ = "session"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    member_id: Mapped[MemberId] = mapped_column(ForeignKey("member.member_id"), index=True)
    created_at_us: Mapped[int]
    seen_at_us: Mapped[int]

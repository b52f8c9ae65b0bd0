"""Table of effective-dated group memberships."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import GroupId, MemberId
from outlay.storage.directory.tables.base import Base


class GroupMembershipRow(Base):
    """A member's time in a group, [valid_from_us, valid_to_us)."""

    __tablename__ = "group_membership"

    group_id: Mapped[GroupId] = mapped_column(ForeignKey("user_group.group_id"), primary_key=True)
    member_id: Mapped[MemberId] = mapped_column(ForeignKey("member.member_id"), primary_key=True)
    valid_from_us: Mapped[int] = mapped_column(primary_key=True)
    valid_to_us: Mapped[int | None]

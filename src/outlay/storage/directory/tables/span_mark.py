"""Table of span marks."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import OrganizationId
from outlay.storage.directory.tables.base import Base


class SpanMarkRow(Base):
    """The relation of a span to the counted calls of its trace."""

    __tablename__ = "span_mark"

    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id"), primary_key=True
    )
    trace_id: Mapped[str] = mapped_column(primary_key=True)
    span_id: Mapped[str] = mapped_column(primary_key=True)
    mark: Mapped[str]
    created_at_us: Mapped[int]


Index("span_mark#created_at_us", SpanMarkRow.created_at_us)

"""Table of the audit trail."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import OrganizationId
from outlay.storage.directory.tables.base import Base


class AuditEntryRow(Base):
    """An audited change, chained to the previous entry."""

    __tablename__ = "audit_entry"

    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    time_us: Mapped[int]
    channel: Mapped[str]
    author_id: Mapped[str]
    credential_id: Mapped[str]
    request_id: Mapped[str]
    action: Mapped[str]
    target: Mapped[str] = mapped_column(index=True)
    before: Mapped[str | None]
    after: Mapped[str | None]
    digest: Mapped[bytes]

"""Table of API keys."""

from sqlalchemy import ForeignKey, false
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import ApiKeyId, MemberId, OrganizationId, ProjectId
from outlay.storage.directory.tables.base import Base


class ApiKeyRow(Base):
    """A credential of a project."""

    __tablename__ = "api_key"

    api_key_id: Mapped[ApiKeyId] = mapped_column(primary_key=True)
    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id"), index=True
    )
    project_id: Mapped[ProjectId] = mapped_column(ForeignKey("project.project_id"), index=True)
    member_id: Mapped[MemberId] = mapped_column(ForeignKey("member.member_id"), index=True)
    description: Mapped[str]
    secret_digest: Mapped[bytes | None]
    """None for discovered keys, which cannot authenticate calls."""
    hint: Mapped[str] = mapped_column(server_default="")
    trusts_caller: Mapped[bool] = mapped_column(server_default=false())
    created_at_us: Mapped[int]
    expires_at_us: Mapped[int | None]
    revoked_at_us: Mapped[int | None]
    deleted_at_us: Mapped[int | None]

"""Table of pending sign-ins at OpenID Connect providers."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import OrganizationId
from outlay.storage.directory.tables.base import Base


class SsoAttemptRow(Base):
    """A pending sign-in, by the digest of its state; used once."""

    __tablename__ = "sso_attempt"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id")
    )
    nonce: Mapped[str]
    verifier: Mapped[str]
    target: Mapped[str]
    created_at_us: Mapped[int]

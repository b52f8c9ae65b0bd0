"""Table of single sign-on."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from outlay.domain.ids import OrganizationId
from outlay.storage.directory.tables.base import Base


class SsoRow(Base):
    """The OpenID Connect provider of an organization, its secret sealed."""

    __tablename__ = "sso"

    organization_id: Mapped[OrganizationId] = mapped_column(
        ForeignKey("organization.organization_id"), primary_key=True
    )
    issuer: Mapped[str]
    client_id: Mapped[str]
    sealed_secret: Mapped[bytes | None]
    domains: Mapped[str]
    """Space-separated."""
    group_claim: Mapped[str]
    groups: Mapped[str]
    """JSON: group id by value of the claim."""
    created_at_us: Mapped[int]

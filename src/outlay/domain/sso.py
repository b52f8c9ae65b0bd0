"""Single sign-on of an organization."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from outlay.domain.ids import OrganizationId


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleSignOn:
    """An OpenID Connect provider whose word an organization takes. Its secret is not part of it."""

    organization_id: OrganizationId
    issuer: str
    """As it stands in the provider's tokens: compared character by character."""
    client_id: str
    domains: tuple[str, ...] = ()
    """Mail domains whose people become developers when they first sign in; none: only members."""
    group_claim: str = "groups"
    groups: Mapping[str, str] = field(default_factory=dict)
    """User group id by value of the group claim."""

    @property
    def place(self) -> str:
        """What its sealed secret is bound to."""
        return "|".join((self.organization_id, "sso", self.issuer, self.client_id))

"""Single sign-on configuration of an organization."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from outlay.domain.ids import OrganizationId


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleSignOn:
    """A trusted OpenID Connect provider, without its client secret."""

    organization_id: OrganizationId
    issuer: str
    """As in the provider's tokens: compared character by character."""
    client_id: str
    domains: tuple[str, ...] = ()
    """Mail domains whose users become developers at their first sign-in; empty: members only."""
    group_claim: str = "groups"
    groups: Mapping[str, str] = field(default_factory=dict)
    """User group id by value of the group claim."""

    @property
    def place(self) -> str:
        """The associated data that its sealed secret is bound to."""
        return "|".join((self.organization_id, "sso", self.issuer, self.client_id))

"""Access tokens: credentials of programs for the JSON API."""

from dataclasses import dataclass
from typing import Final

from outlay.domain.actor import Scope
from outlay.domain.ids import MemberId, TokenId

TOKEN_PREFIX: Final = "ota"  # noqa: S105 - a prefix, not a secret
"""A token reads `ota_<id>_<secret>`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A member's credential for the JSON API, without its secret."""

    token_id: TokenId
    member_id: MemberId
    description: str
    scopes: frozenset[Scope]
    created_at_us: int
    expires_at_us: int | None = None
    is_revoked: bool = False
    parent_id: TokenId | None = None
    """The access token that created this one; this one never outlives it."""

    def is_good_at(self, us: int) -> bool:
        """Whether the token is neither revoked nor expired."""
        return not self.is_revoked and (self.expires_at_us is None or us < self.expires_at_us)

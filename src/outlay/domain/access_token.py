"""Access tokens: what programs read and change Outlay with."""

from dataclasses import dataclass
from typing import Final

from outlay.domain.actor import Scope
from outlay.domain.ids import MemberId

TOKEN_PREFIX: Final = "ota"  # noqa: S105 - a prefix, not a secret
"""A token reads `ota_<id>_<secret>`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A credential of a member for the JSON API. Its secret is not part of it."""

    token_id: str
    member_id: MemberId
    description: str
    scopes: frozenset[Scope]
    created_at_us: int
    expires_at_us: int | None = None
    is_revoked: bool = False
    parent_id: str | None = None
    """The access token that it was made with, which it never outlives."""

    def is_good_at(self, us: int) -> bool:
        """Whether it is neither revoked nor expired."""
        return not self.is_revoked and (self.expires_at_us is None or us < self.expires_at_us)

"""Access tokens: what programs read and change Outlay with."""

from dataclasses import dataclass

from outlay.domain.actor import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A credential of a member for the JSON API. Its secret is not part of it."""

    token_id: str
    member_id: str
    description: str
    scopes: frozenset[Scope]
    created_at_us: int
    expires_at_us: int | None = None
    is_revoked: bool = False

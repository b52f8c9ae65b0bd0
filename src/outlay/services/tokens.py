"""Access tokens: what programs use the JSON API with.

A token reads `ota_<id>_<secret>`. It carries scopes, never more than whoever makes it has; what
they allow is decided at each use by the role that the member has then.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from outlay.domain.access_token import AccessToken
from outlay.domain.actor import Actor, Scope
from outlay.domain.audit import Action, Value
from outlay.domain.errors import Conflict, Invalid, NotPermitted
from outlay.domain.policy import Permission, grantable_scopes, is_limited
from outlay.kit.clock import from_us, to_us
from outlay.kit.secrets import digest_secret, new_secret
from outlay.services.checks import check_name, pick
from outlay.services.members import find_present_member
from outlay.services.trail import Trail
from outlay.storage.directory.access_tokens import (
    create_access_token,
    list_access_tokens,
    revoke_access_token,
)
from outlay.storage.directory.engine import Directory

TOKEN_PREFIX: Final = "ota"  # noqa: S105 - a prefix, not a secret


class Tokens:
    """The access tokens of an actor's organization; developers have to do with their own alone."""

    def __init__(self, directory: Directory, trail: Trail) -> None:
        self._directory = directory
        self._trail = trail

    def of(self, actor: Actor) -> list[AccessToken]:
        """Tokens that are not revoked, oldest first."""
        is_own = is_limited(actor, Permission.TOKENS_READ)
        with self._directory.read() as session:
            found = list_access_tokens(session, actor.organization_id)
        return [
            token
            for token in found
            if not token.is_revoked and (not is_own or token.member_id == actor.member_id)
        ]

    def create(
        self,
        actor: Actor,
        *,
        description: str,
        scopes: Iterable[Scope],
        expires_at: datetime | None = None,
        member_id: str | None = None,
    ) -> tuple[AccessToken, str]:
        """A new token of the actor, or of a member whom the operator names; and its only sight."""
        wanted = frozenset(scopes)
        if not wanted:
            raise Invalid("give the token at least one scope", field="scopes")
        missing = wanted - grantable_scopes(actor)
        if missing:
            raise NotPermitted(
                f"A token cannot have more rights than you: {', '.join(sorted(missing))}.",
                code="scope-exceeded",
                field="scopes",
            )
        token_id, secret = new_secret(12), new_secret()
        with self._trail.change(actor) as change:
            owner_id = member_id if actor.is_operator and member_id else actor.member_id
            find_present_member(change.session, actor, owner_id)
            expires_at_us = to_us(expires_at) if expires_at else None
            if expires_at_us is not None and expires_at_us <= change.now_us:
                raise Invalid("the token would have expired already", field="expiresAt")
            token = AccessToken(
                token_id=token_id,
                member_id=owner_id,
                description=check_name(description, "description"),
                scopes=wanted,
                created_at_us=change.now_us,
                expires_at_us=expires_at_us,
            )
            create_access_token(change.session, token, digest_secret(secret))
            change.note(Action.TOKEN_CREATE, token_id, after=_describe(token))
        return token, f"{TOKEN_PREFIX}_{token_id}_{secret}"

    def revoke(self, actor: Actor, token_id: str) -> None:
        """Refuse a token from now on."""
        is_own = is_limited(actor, Permission.TOKENS_WRITE)
        with self._trail.change(actor) as change:
            token = pick(
                list_access_tokens(change.session, actor.organization_id),
                lambda known: (
                    known.token_id == token_id
                    and (not is_own or known.member_id == actor.member_id)
                ),
                "access token",
            )
            if token.is_revoked:
                raise Conflict("The token is revoked already.", code="revoked-already")
            revoke_access_token(change.session, token_id, change.now_us)
            change.note(Action.TOKEN_REVOKE, token_id, before=_describe(token))


def _describe(token: AccessToken) -> dict[str, Value]:
    expires = token.expires_at_us
    return {
        "description": token.description,
        "member": token.member_id,
        "scopes": sorted(scope.value for scope in token.scopes),
        "expires": None if expires is None else from_us(expires).isoformat(),
    }

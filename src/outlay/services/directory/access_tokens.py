"""Access tokens for the JSON API.

A token has scopes, at most those of its creator; at each use, the member's current role decides
what they allow. A token created by another one never outlives it.
"""

from collections.abc import Iterable
from datetime import datetime

from outlay.domain.access_token import TOKEN_PREFIX, AccessToken
from outlay.domain.actor import Actor, Scope
from outlay.domain.audit import Action, Value
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Conflict, Invalid, NotPermitted, Unauthenticated
from outlay.domain.ids import MemberId, TokenId
from outlay.domain.policy import Permission, grantable_scopes, is_limited, permit
from outlay.kit.clock import from_us, to_us
from outlay.kit.secrets import digest_secret, new_secret
from outlay.services.directory.audited_changes import AuditedChanges
from outlay.services.directory.issuing import ended, void_unfounded
from outlay.services.directory.members import find_present_member
from outlay.services.directory.text_rules import check_found, check_name
from outlay.storage.directory.access_tokens import (
    create_access_token,
    find_access_token,
    list_access_tokens,
    revoke_access_token,
)
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.session import ReadSession


class Tokens:
    """The access tokens of an actor's organization; developers see and manage only their own."""

    def __init__(self, directory: Directory, audited: AuditedChanges) -> None:
        self._directory = directory
        self._audited = audited

    def list_for(self, actor: Actor) -> list[AccessToken]:
        """Valid and expired tokens, not revoked ones, oldest first."""
        permit(actor, Permission.TOKENS_READ)
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
        member_id: MemberId | None = None,
    ) -> tuple[AccessToken, str]:
        """Create a token for the actor, or for a member named by the operator; returns its secret,
        which is not stored.

        A token created by another one expires with it at the latest.
        """
        wanted = frozenset(scopes)
        if not wanted:
            raise Invalid("An access token needs at least one scope.", field="scopes")
        missing = wanted - grantable_scopes(actor)
        if missing:
            raise NotPermitted(
                "A token cannot have more rights than its creator. Not allowed: "
                f"{', '.join(sorted(missing))}.",
                code=ErrorCode.SCOPE_EXCEEDED,
                field="scopes",
            )
        token_id, secret = TokenId(new_secret(12)), new_secret()
        with self._audited.change(actor, Permission.TOKENS_WRITE) as change:
            owner_id = member_id if actor.is_operator and member_id else actor.member_id
            find_present_member(change.session, actor, owner_id)
            expires_at_us = to_us(expires_at) if expires_at else None
            if expires_at_us is not None and expires_at_us <= change.now_us:
                raise Invalid("`expiresAt` must be in the future.", field="expiresAt")
            parent = _parent(change.session, actor, change.now_us)
            token = AccessToken(
                token_id=token_id,
                member_id=owner_id,
                description=check_name(description, "description"),
                scopes=wanted,
                created_at_us=change.now_us,
                expires_at_us=_earlier(expires_at_us, parent.expires_at_us if parent else None),
                parent_id=parent.token_id if parent else None,
            )
            create_access_token(change.session, token, digest_secret(secret))
            change.note(Action.TOKEN_CREATE, token_id, after=_describe(token))
        return token, f"{TOKEN_PREFIX}_{token_id}_{secret}"

    def revoke(self, actor: Actor, token_id: TokenId) -> None:
        """Revoke a token and everything created by it.

        That is tokens, recursively, open invitations and password links.
        """
        is_own = is_limited(actor, Permission.TOKENS_WRITE)
        with self._audited.change(actor, Permission.TOKENS_WRITE) as change:
            tokens = list_access_tokens(change.session, actor.organization_id)
            with_id = (known for known in tokens if known.token_id == token_id)
            token = next(with_id, None)
            is_hidden = is_own and token is not None and token.member_id != actor.member_id
            token = check_found(None if is_hidden else token, "access token")
            if token.is_revoked:
                raise Conflict("The token is already revoked.", code=ErrorCode.REVOKED_ALREADY)
            _, *children = revoke_access_token(change.session, token_id, change.now_us)
            voided = void_unfounded(change.session, actor.organization_id, change.now_us)
            change.note(
                Action.TOKEN_REVOKE,
                token_id,
                before=_describe(token) | ended(tokens=children) | voided,
            )


def _parent(session: ReadSession, actor: Actor, now_us: int) -> AccessToken | None:
    """The token that the actor uses; raises Unauthenticated if it has ended in the meantime."""
    if not actor.credential_id:
        return None
    found = find_access_token(session, actor.credential_id)
    if found is None or not found[0].is_good_at(now_us):
        raise Unauthenticated("The access token is unknown, expired or revoked.")
    return found[0]


def _earlier(wanted_us: int | None, limit_us: int | None) -> int | None:
    """The earlier of two instants; None means never."""
    return min((us for us in (wanted_us, limit_us) if us is not None), default=None)


def _describe(token: AccessToken) -> dict[str, Value]:
    expires = token.expires_at_us
    return {
        "description": token.description,
        "member": token.member_id,
        "parent": token.parent_id,
        "scopes": sorted(scope.value for scope in token.scopes),
        "expires": None if expires is None else from_us(expires).isoformat(),
    }

"""Authentication: from credential to actor."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from outlay.domain.access_token import TOKEN_PREFIX, AccessToken
from outlay.domain.actor import ALL_SCOPES, Actor, Channel
from outlay.domain.errors import Unauthenticated, Unavailable
from outlay.domain.ids import TokenId
from outlay.kit.clock import Clock, in_us, to_us
from outlay.kit.secrets import digest_secret, is_same_digest
from outlay.services.directory.actors import actor_for
from outlay.storage.directory.access_tokens import find_access_token
from outlay.storage.directory.engine import Directory
from outlay.storage.directory.sessions import find_session, touch_session

logger = logging.getLogger(__name__)

SESSION_IDLE: Final = timedelta(hours=12)
SESSION_LIFETIME: Final = timedelta(days=7)
SESSION_TOUCH: Final = timedelta(minutes=5)
"""How outdated the recorded last use of a session may be: not every request writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenHolder:
    """The owner of a valid access token."""

    token: AccessToken
    digest: bytes
    """The digest of its secret."""
    actor: Actor


class Access:
    """Authenticates sessions and access tokens."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    def actor_of_session(self, token: str) -> Actor:
        """The member that a session token belongs to; raises Unauthenticated if the session has
        ended."""
        digest = digest_secret(token)
        now_us = to_us(self._clock.now())
        with self._directory.read() as session:
            stored = find_session(session, digest)
            if stored is None:
                raise Unauthenticated("Sign in first.")
            idle = now_us - stored.seen_at_us > in_us(SESSION_IDLE)
            old = now_us - stored.created_at_us > in_us(SESSION_LIFETIME)
            actor = actor_for(session, stored.member_id, ALL_SCOPES, Channel.SESSION)
        if idle or old or actor is None:
            raise Unauthenticated("The session has ended. Sign in again.")
        if now_us - stored.seen_at_us > in_us(SESSION_TOUCH):
            self._touch(digest, now_us)
        return actor

    def _touch(self, digest: bytes, now_us: int) -> None:
        """Record the use of a session; failing to do so does not fail the request."""
        try:
            with self._directory.write() as session:
                touch_session(session, digest, now_us)
        except Unavailable as error:
            logger.debug("the use of a session is not recorded: %s", error.message)

    def actor_of_token(self, token: str) -> Actor:
        """The owner of an access token; raises Unauthenticated if it is unknown, expired or
        revoked."""
        token_id, secret = parse_token(token)
        return check_token(self.find_token(token_id), secret, to_us(self._clock.now()))

    def find_token(self, token_id: TokenId) -> TokenHolder | None:
        """The owner of a token, None if it is unknown or revoked."""
        with self._directory.read() as session:
            found = find_access_token(session, token_id)
            if found is None or found[0].is_revoked:
                return None
            stored, digest = found
            actor = actor_for(session, stored.member_id, stored.scopes, Channel.TOKEN, token_id)
        if actor is None:
            return None
        return TokenHolder(token=stored, digest=digest, actor=actor)


def parse_token(token: str) -> tuple[TokenId, str]:
    """The id and secret of an access token; raises Unauthenticated for anything else."""
    prefix, _, rest = token.partition("_")
    token_id, _, secret = rest.partition("_")
    if prefix != TOKEN_PREFIX or not token_id or not secret:
        raise _refused()
    return TokenId(token_id), secret


def check_token(holder: TokenHolder | None, secret: str, now_us: int) -> Actor:
    """The token's owner as an actor; raises Unauthenticated unless the secret is right and the
    token valid.
    """
    offered = digest_secret(secret)
    is_right = is_same_digest(holder.digest if holder else bytes(len(offered)), offered)
    if holder is None or not is_right or not holder.token.is_good_at(now_us):
        raise _refused()
    return holder.actor


def _refused() -> Unauthenticated:
    return Unauthenticated("The access token is unknown, expired or revoked.")

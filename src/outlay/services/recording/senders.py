"""Cached authentication of senders, so that ingest works while the database is unreachable.

A revoked token is rejected as soon as the directory watch has seen the change; the expiry is
checked at every use. Only valid tokens are cached.
"""

from outlay.domain.actor import Actor
from outlay.domain.errors import Damaged
from outlay.domain.ids import TokenId
from outlay.kit.cache import Cache
from outlay.kit.clock import Clock, to_us
from outlay.services.access.authentication import Access, TokenHolder, check_token, parse_token
from outlay.services.recording.recorder import Recorder


class Senders:
    """Authenticates senders of usage. Thread-safe."""

    def __init__(self, access: Access, recorder: Recorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock
        self._holders: Cache[TokenId, TokenHolder | None] = Cache(
            access.find_token, drops=(Damaged,)
        )

    def refresh(self) -> None:
        """Reload the cached tokens."""
        self._holders.refresh()

    def actor_of_token(self, token: str) -> Actor:
        """The owner of an access token, from the cache if it was used before.

        Raises Unauthenticated for unknown, expired or revoked tokens, Unavailable if the directory
        is needed and unreachable.
        """
        token_id, secret = parse_token(token)
        actor = check_token(self._holders.get(token_id), secret, to_us(self._clock.now()))
        self._recorder.load(actor.organization_id)
        return actor

    def knows_any(self) -> bool:
        """Whether any token can be authenticated without the directory."""
        now_us = to_us(self._clock.now())
        return any(holder and holder.token.is_good_at(now_us) for holder in self._holders.values())

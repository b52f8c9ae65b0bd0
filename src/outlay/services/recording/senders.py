"""Who sends usage: access tokens that are remembered, so that ingest goes on without the database.

A token that is revoked is refused as soon as the directory watch has seen the change; when it
expires is looked at at every use. Only tokens that were found good are remembered.
"""

from outlay.domain.actor import Actor
from outlay.domain.errors import Damaged
from outlay.kit.cache import Cache
from outlay.kit.clock import Clock, to_us
from outlay.services.access.authentication import Access, TokenHolder, check_token, parse_token
from outlay.services.recording.recorder import Recorder


class Senders:
    """Recognises whoever sends usage. Thread-safe."""

    def __init__(self, access: Access, recorder: Recorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock
        self._holders: Cache[str, TokenHolder | None] = Cache(access.find_token, drops=(Damaged,))

    def refresh(self) -> None:
        """Read again what is known of the directory."""
        self._holders.refresh()

    def actor_of_token(self, token: str) -> Actor:
        """Who an access token belongs to; from memory when it has been used here before.

        Raises Unauthenticated for unknown, expired or revoked ones, Unavailable when the directory
        has to be asked and does not answer.
        """
        token_id, secret = parse_token(token)
        actor = check_token(self._holders.get(token_id), secret, to_us(self._clock.now()))
        self._recorder.load(actor.organization_id)
        return actor

    def knows_any(self) -> bool:
        """Whether there is a token that would be recognised without the directory."""
        now_us = to_us(self._clock.now())
        return any(holder and holder.token.is_good_at(now_us) for holder in self._holders.values())

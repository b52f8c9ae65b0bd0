"""What identity providers say: their metadata, their keys, the tokens that they give for codes.

Whoever sets a provider up chooses what is fetched, so each address is checked: nothing is fetched
from this machine or a private network unless the issuer itself is there, over plain HTTP only
where the issuer is this machine. Why a provider could not be used is for the log alone; told to
strangers, it would be a port scanner.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from outlay.domain.errors import Invalid, Unauthenticated, Unavailable
from outlay.domain.sso import SingleSignOn
from outlay.kit.addresses import Address
from outlay.kit.egress import PUBLIC
from outlay.kit.fetch import Fetched, FetchFailed, fetch
from outlay.services.directory.sso import check_endpoint
from outlay.wire.oidc import Provider, key_id_of, parse_keys, parse_provider, parse_token_answer

logger = logging.getLogger(__name__)

METADATA_SECONDS: Final = 3_600.0
KEYS_SECONDS: Final = 60.0
"""How soon the keys are read again for a token that is signed with an unknown one."""
MAX_KNOWN: Final = 1_000


class Known(NamedTuple):
    """What has been read of a provider."""

    provider: Provider
    keys: list[Mapping[str, Any]]
    is_public: bool
    """Whether the issuer is on the public internet, where the rest of it must be then, too."""
    read_at: float
    """Monotonic seconds."""


class Providers:
    """Asks identity providers, and keeps what they say of themselves for a while."""

    def __init__(self, permits: Callable[[Address], bool]) -> None:
        """`permits` says of an address whether anything may be fetched from it at all."""
        self._permits = permits
        self._known: dict[str, Known] = {}

    async def read(self, issuer: str, max_age: float | None = None) -> Known:
        """What is known of the provider of an issuer; Unavailable when it cannot be used."""
        known = self._known.get(issuer)
        max_age = METADATA_SECONDS if max_age is None else max_age
        if known is not None and time.monotonic() - known.read_at < max_age:
            return known
        with _kept_from_strangers(issuer):
            answer = await self._fetch(
                f"{issuer.rstrip('/')}/.well-known/openid-configuration", is_public=False
            )
            provider = parse_provider(answer.body, issuer)
            is_public = any(map(PUBLIC.allows, answer.addresses))
            for url in (
                provider.authorization_endpoint,
                provider.token_endpoint,
                provider.jwks_uri,
            ):
                check_endpoint(url, issuer)
            keys = parse_keys((await self._fetch(provider.jwks_uri, is_public=is_public)).body)
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        known = self._known[issuer] = Known(provider, keys, is_public, time.monotonic())
        return known

    async def read_for(self, token: str, issuer: str, known: Known) -> Known:
        """What is known, read again when a token names a key that is not among the known ones."""
        kid = key_id_of(token)
        if kid is None or any(key.get("kid") == kid for key in known.keys):
            return known
        return await self.read(issuer, KEYS_SECONDS)

    async def redeem(
        self,
        known: Known,
        sso: SingleSignOn,
        *,
        secret: str,
        code: str,
        verifier: str,
        redirect_uri: str,
    ) -> str:
        """The ID token that a provider gives for a code; Unavailable when it gives none."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": sso.client_id,
        }
        basic = None
        if secret and known.provider.takes_basic:
            basic = (sso.client_id, secret)
        elif secret:
            form["client_secret"] = secret
        with _kept_from_strangers(sso.issuer):
            answer = await self._fetch(
                known.provider.token_endpoint, is_public=known.is_public, form=form, basic=basic
            )
            return parse_token_answer(answer.body)

    async def _fetch(
        self,
        url: str,
        *,
        is_public: bool,
        form: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
    ) -> Fetched:
        # Of a service that was not meant, a query is what would make it do something.
        only_public = is_public or bool(urlsplit(url).query)

        def permits(address: Address) -> bool:
            return self._permits(address) and (not only_public or PUBLIC.allows(address))

        return await fetch(url, permits=permits, form=form, basic=basic)


@contextmanager
def _kept_from_strangers(issuer: str) -> Iterator[None]:
    """Log why a provider could not be used, and say no more than that."""
    try:
        yield
    except (FetchFailed, Invalid, Unauthenticated) as error:
        logger.warning("the identity provider %s could not be used: %s", issuer, error)
        raise Unavailable(
            "The identity provider could not be used. The server's log says why.",
            code="sso-unavailable",
        ) from error

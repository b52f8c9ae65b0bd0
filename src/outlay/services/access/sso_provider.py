"""Requests to identity providers: metadata, keys, and tokens for codes.

Users choose the provider's URLs, so each address is checked: nothing is fetched from this machine
or a private network unless the issuer itself is there, and plain HTTP is allowed only if the issuer
is this machine. The reason for a failure is logged only; shown to strangers, it would be a port
scanner.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from outlay.domain.error_codes import ErrorCode
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
"""Minimum time between reloads of the keys for tokens with an unknown key."""
MAX_KNOWN: Final = 1_000


class Known(NamedTuple):
    """The cached data of a provider."""

    provider: Provider
    keys: list[Mapping[str, Any]]
    is_public: bool
    """Whether the issuer is on the public internet; the other endpoints must be, too, then."""
    read_at: float
    """Monotonic seconds."""


class Providers:
    """Queries identity providers and caches their metadata and keys."""

    def __init__(self, permits: Callable[[Address], bool]) -> None:
        """`permits` says whether an address may be connected to at all."""
        self._permits = permits
        self._known: dict[str, Known] = {}

    async def read(self, issuer: str, max_age: float | None = None) -> Known:
        """The data of an issuer's provider; raises Unavailable if it is not usable."""
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
        """The data, reloaded if the token names an unknown key."""
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
        """The ID token for a code; raises Unavailable if the provider returns none."""
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
        # A query is what could trigger an action of an unintended service.
        only_public = is_public or bool(urlsplit(url).query)

        def permits(address: Address) -> bool:
            return self._permits(address) and (not only_public or PUBLIC.allows(address))

        return await fetch(url, permits=permits, form=form, basic=basic)


@contextmanager
def _kept_from_strangers(issuer: str) -> Iterator[None]:
    """Log why a provider is not usable, and raise an error without the reason."""
    try:
        yield
    except (FetchFailed, Invalid, Unauthenticated) as error:
        logger.warning("the identity provider %s is not usable: %s", issuer, error)
        raise Unavailable(
            "The identity provider is not usable. See the server's log for the reason.",
            code=ErrorCode.SSO_UNAVAILABLE,
        ) from error

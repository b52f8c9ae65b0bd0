"""Authentication of API keys, with a cache of known keys."""

import asyncio
import threading
from collections.abc import Callable
from typing import Final

from outlay.domain.api_key_format import parse_key
from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Damaged, Unauthenticated
from outlay.domain.ids import ApiKeyId
from outlay.domain.organization import ApiKey
from outlay.kit.clock import Clock, to_us
from outlay.kit.secrets import digest_secret, is_same_digest
from outlay.storage.directory.api_keys import find_credentials
from outlay.storage.directory.engine import Directory

_MAX_RECOGNISED: Final = 100_000
_NO_DIGEST: Final = digest_secret("")

Credential = tuple[ApiKey, bytes]
"""A key and the digest of its secret."""


class ApiKeys:
    """Authenticates the API keys of gateway calls.

    Only existing keys are cached: unknown keys, of which strangers can send any number, do not
    affect what is reloaded after a change. So a revoked key is rejected immediately.
    """

    def __init__(
        self, directory: Directory, clock: Clock, on_found: Callable[[ApiKey], None]
    ) -> None:
        """`on_found` is called with a key before its first request is admitted."""
        self._directory = directory
        self._clock = clock
        self._on_found = on_found
        self._lock = threading.Lock()
        self._generation = 0
        self._credentials: dict[str, Credential] = {}
        self._recognised: dict[bytes, ApiKey] = {}
        """Keys authenticated since the last directory change, by digest of the whole key."""

    def refresh(self) -> None:
        """Reload the cached keys together."""
        with self._lock:
            self._generation += 1
            ids = list(self._credentials)
        with self._directory.read() as session:
            fresh = find_credentials(session, ids)
        with self._lock:
            self._credentials = {
                api_key_id: credential
                for api_key_id, credential in fresh.items()
                if not isinstance(credential, Damaged)  # only this key's callers get the error
            }
            self._recognised = {}

    async def authenticate(self, text: str | None) -> ApiKey:
        """The API key in a credential; otherwise raises Unauthenticated, always with the same
        message.

        Cached keys are checked immediately; others are looked up in a thread.
        """
        # First, so that a key checked against an old credential is not kept along with newer ones.
        recognised = self._recognised
        whole = digest_secret(text or "")
        known = recognised.get(whole)
        if known is not None and self._is_usable(known):
            return known
        parsed = parse_key(text) if text else None
        if parsed is None:
            raise Unauthenticated(
                "An Outlay API key is required. Send `Authorization: Bearer otl_…` or "
                "`x-api-key: otl_…`.",
                code=ErrorCode.INVALID_API_KEY,
            )
        api_key_id, secret = parsed
        credential = self._credentials.get(api_key_id)
        if credential is None:
            credential = await asyncio.to_thread(self._find, ApiKeyId(api_key_id))
        api_key, digest = credential or (None, _NO_DIGEST)
        is_right = is_same_digest(digest, digest_secret(secret))
        if api_key is None or not is_right or not self._is_usable(api_key):
            raise Unauthenticated(
                "The API key is unknown, expired or revoked.", code=ErrorCode.INVALID_API_KEY
            )
        if len(recognised) < _MAX_RECOGNISED:
            recognised[whole] = api_key
        return api_key

    def knows_any(self) -> bool:
        """Whether any key can be authenticated without the directory."""
        return any(self._is_usable(api_key) for api_key, _ in list(self._credentials.values()))

    def _is_usable(self, api_key: ApiKey) -> bool:
        if api_key.is_revoked or api_key.is_deleted:
            return False
        expires = api_key.expires_at_us
        return expires is None or to_us(self._clock.now()) < expires

    def _find(self, api_key_id: ApiKeyId) -> Credential | None:
        generation = self._generation
        with self._directory.read() as session:
            credential = find_credentials(session, [api_key_id]).get(api_key_id)
        if credential is None:
            return None
        if isinstance(credential, Damaged):
            raise credential
        self._on_found(credential[0])
        with self._lock:
            # A result loaded before a refresh is valid for this caller, but not cached.
            if generation == self._generation and len(self._credentials) < _MAX_RECOGNISED:
                self._credentials[api_key_id] = credential
        return credential

"""Policies: what a route requires of the caller, declared on each route."""

import binascii
from abc import ABC, abstractmethod
from base64 import b64decode
from dataclasses import dataclass, field, replace
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from outlay.domain.access_token import TOKEN_PREFIX
from outlay.domain.actor import Actor, Channel
from outlay.domain.errors import Unauthenticated
from outlay.domain.policy import Permission, permit
from outlay.kit.secrets import digest_secret, is_same_digest
from outlay.services.access.authentication import SESSION_LIFETIME
from outlay.services.bundle import Services
from outlay.storage.row_level_security import enter_tenant
from outlay.web.http.body import MAX_BODY, MAX_FORM, MAX_INGEST

SECURE_COOKIE: Final = "__Host-outlay_session"
PLAIN_COOKIE: Final = "outlay_session"
"""Over plain HTTP on loopback, where browsers refuse the `__Host-` prefix."""

_BOTH: Final = frozenset({Channel.SESSION, Channel.TOKEN})


ADMITTED: Final = "outlay.admitted"
"""The key of the authenticated caller in a request's scope."""


@dataclass(frozen=True, slots=True)
class Policy(ABC):
    """The requirements of a route; each declares exactly one policy, or the tests fail.

    The route calls `admit` before it reads the body. As a dependency of the handler, a policy
    provides the authenticated caller.
    """

    max_body: int = field(default=MAX_BODY, kw_only=True)
    """Maximum number of body bytes that the route reads."""

    async def __call__(self, request: Request) -> Actor | None:
        """The authenticated caller; None if no authentication is required."""
        admitted: Actor | None = request.scope[ADMITTED]
        return admitted

    @abstractmethod
    async def admit(self, request: Request) -> Actor | None:
        """The caller; raises Unauthenticated or NotPermitted."""


@dataclass(frozen=True, slots=True)
class Requires(Policy):
    """A permission, by session or access token; provides the actor who has it."""

    permission: Permission
    channels: frozenset[Channel] = _BOTH

    @override
    async def admit(self, request: Request) -> Actor:
        return await run_in_threadpool(self._permit, request)

    def _permit(self, request: Request) -> Actor:
        actor = _entered(self._actor(request), request)
        permit(actor, self.permission)
        return actor

    def _actor(self, request: Request) -> Actor:
        if Channel.TOKEN not in self.channels:
            return session_actor(request)
        if Channel.SESSION not in self.channels or access_token(request) is not None:
            return token_actor(request)
        return session_actor(request)


@dataclass(frozen=True, slots=True)
class OnPage(Requires):
    """A permission, by session: pages are for people."""

    channels: frozenset[Channel] = frozenset({Channel.SESSION})


@dataclass(frozen=True, slots=True)
class ByToken(Requires):
    """A permission, by access token: for programs that send usage, which also works without a
    database."""

    channels: frozenset[Channel] = frozenset({Channel.TOKEN})

    @override
    def _actor(self, request: Request) -> Actor:
        return services_of(request).senders.actor_of_token(required_token(request))


@dataclass(frozen=True, slots=True)
class SignedIn(Policy):
    """Anyone with a session, for what is not about data."""

    @override
    async def admit(self, request: Request) -> Actor:
        return await run_in_threadpool(lambda: _entered(session_actor(request), request))


@dataclass(frozen=True, slots=True)
class Open(Policy):
    """No requirements: the route is open to everyone."""

    reason: str
    """Why."""
    max_body: int = field(default=MAX_FORM, kw_only=True)

    @override
    async def admit(self, request: Request) -> None:
        """Admit everyone."""


@dataclass(frozen=True, slots=True)
class OperatorOnly(Policy):
    """The operator token of this process, which is in the data directory."""

    @override
    async def admit(self, request: Request) -> None:
        offered = digest_secret(bearer_token(request) or "")
        expected = digest_secret(request.app.state.operator_token)
        if not is_same_digest(expected, offered):
            raise Unauthenticated("This needs the operator token from the data directory.")


RECORDS_USAGE: Final = ByToken(Permission.USAGE_RECORD, max_body=MAX_INGEST)
"""The policy of every endpoint that receives usage."""


def _entered(actor: Actor, request: Request) -> Actor:
    """The actor of a request; the current unit of work is bound to their organization."""
    enter_tenant(actor.organization_id)
    return replace(actor, request_id=request_id_of(request))


def services_of(request: Request) -> Services:
    """The services of the running installation."""
    services: Services = request.app.state.services
    return services


def request_id_of(request: Request) -> str:
    """The request id in the response and in the audit trail."""
    request_id: str = request.scope["request_id"]
    return request_id


def remote_of(request: Request) -> str:
    """The address of the client; behind trusted proxies, the one that they report."""
    return request.client.host if request.client else "unknown"


def base_url(request: Request) -> str:
    """The URL at which browsers reach this server, without a trailing slash."""
    return services_of(request).settings.public_url or str(request.base_url).rstrip("/")


def is_secure(request: Request) -> bool:
    """Whether browsers reach this server over TLS."""
    return base_url(request).startswith("https:")


def session_token(request: Request) -> str | None:
    """The session cookie of a request."""
    return request.cookies.get(SECURE_COOKIE if is_secure(request) else PLAIN_COOKIE)


def session_actor(request: Request) -> Actor:
    """The signed-in actor; raises Unauthenticated without one."""
    token = session_token(request)
    if not token:
        raise Unauthenticated("Sign in first.")
    return services_of(request).access.actor_of_session(token)


def bearer_token(request: Request) -> str | None:
    """The token of an `Authorization: Bearer` header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def access_token(request: Request) -> str | None:
    """The access token of a request: the bearer token, or the password of Basic authentication.

    The user name is ignored: spreadsheets and BI tools require one. A password that is not an
    access token belongs to someone else, such as a proxy in front that requires one itself and
    passes it on.
    """
    scheme, _, coded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return bearer_token(request)
    try:
        _, _, password = b64decode(coded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return password if password.startswith(f"{TOKEN_PREFIX}_") else None


def token_actor(request: Request) -> Actor:
    """The owner of a request's access token; raises Unauthenticated if the token is not valid."""
    return services_of(request).access.actor_of_token(required_token(request))


def required_token(request: Request) -> str:
    """The access token of a request; raises Unauthenticated without one."""
    token = access_token(request)
    if not token:
        raise Unauthenticated(
            "An access token is required. Send `Authorization: Bearer ota_…`, or the token as "
            "the password of Basic authentication."
        )
    return token


def set_session(response: Response, token: str, request: Request) -> None:
    """Set the session cookie."""
    response.set_cookie(
        SECURE_COOKIE if is_secure(request) else PLAIN_COOKIE,
        token,
        max_age=int(SESSION_LIFETIME.total_seconds()),
        path="/",
        httponly=True,
        secure=is_secure(request),
        samesite="lax",
    )


def clear_session(response: Response) -> None:
    """Delete the session cookie."""
    response.delete_cookie(PLAIN_COOKIE, path="/", httponly=True, samesite="lax")
    response.delete_cookie(SECURE_COOKIE, path="/", httponly=True, secure=True, samesite="lax")

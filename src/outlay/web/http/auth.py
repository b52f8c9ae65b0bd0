"""What a route demands of whoever asks, declared on each route."""

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
"""Where in the scope of a request stands who has been let in."""


@dataclass(frozen=True, slots=True)
class Policy(ABC):
    """What a route demands; each declares exactly one, or the tests fail.

    The route asks `admit` before it reads the body. As a dependency of the handler, a policy hands
    over whom it has let in.
    """

    max_body: int = field(default=MAX_BODY, kw_only=True)
    """How many bytes the route reads at most."""

    async def __call__(self, request: Request) -> Actor | None:
        """Who has been let in; None where nobody has to say who they are."""
        admitted: Actor | None = request.scope[ADMITTED]
        return admitted

    @abstractmethod
    async def admit(self, request: Request) -> Actor | None:
        """Who asks; raises Unauthenticated or NotPermitted."""


@dataclass(frozen=True, slots=True)
class Requires(Policy):
    """A permission, by session or access token: the actor who has it."""

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
    """A permission, by access token: for programs that send usage, also without a database."""

    channels: frozenset[Channel] = frozenset({Channel.TOKEN})

    @override
    def _actor(self, request: Request) -> Actor:
        return services_of(request).senders.actor_of_token(required_token(request))


@dataclass(frozen=True, slots=True)
class SignedIn(Policy):
    """Anybody with a session, for what is not about data."""

    @override
    async def admit(self, request: Request) -> Actor:
        return await run_in_threadpool(lambda: _entered(session_actor(request), request))


@dataclass(frozen=True, slots=True)
class Open(Policy):
    """Nothing: the route is for everybody."""

    reason: str
    """Why."""
    max_body: int = field(default=MAX_FORM, kw_only=True)

    @override
    async def admit(self, request: Request) -> None:
        """Let everybody pass."""


@dataclass(frozen=True, slots=True)
class OperatorOnly(Policy):
    """The operator token of this process, which lies in the data directory."""

    @override
    async def admit(self, request: Request) -> None:
        offered = digest_secret(bearer_token(request) or "")
        expected = digest_secret(request.app.state.operator_token)
        if not is_same_digest(expected, offered):
            raise Unauthenticated("This needs the operator token from the data directory.")


RECORDS_USAGE: Final = ByToken(Permission.USAGE_RECORD, max_body=MAX_INGEST)
"""What every endpoint for usage from elsewhere demands."""


def _entered(actor: Actor, request: Request) -> Actor:
    """The actor of a request, whose work is from now on for their organization."""
    enter_tenant(actor.organization_id)
    return replace(actor, request_id=request_id_of(request))


def services_of(request: Request) -> Services:
    """The services of the running installation."""
    services: Services = request.app.state.services
    return services


def request_id_of(request: Request) -> str:
    """The id that the answer and the audit trail carry."""
    request_id: str = request.scope["request_id"]
    return request_id


def remote_of(request: Request) -> str:
    """The address of the client, behind trusted proxies the one that they name."""
    return request.client.host if request.client else "unknown"


def base_url(request: Request) -> str:
    """How browsers reach this server, without a slash at the end."""
    return services_of(request).settings.public_url or str(request.base_url).rstrip("/")


def is_secure(request: Request) -> bool:
    """Whether browsers reach this server over TLS."""
    return base_url(request).startswith("https:")


def session_token(request: Request) -> str | None:
    """The session cookie of a request."""
    return request.cookies.get(SECURE_COOKIE if is_secure(request) else PLAIN_COOKIE)


def session_actor(request: Request) -> Actor:
    """Who is signed in; raises Unauthenticated when nobody is."""
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

    Whatever the user name: spreadsheets and BI tools ask for one. A password that is no access
    token is somebody else's: of a proxy in front that asks for one itself and passes it on.
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
    """Whose access token a request carries; raises Unauthenticated without a good one."""
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
    """Put a session into the browser."""
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
    """Take the session out of the browser."""
    response.delete_cookie(PLAIN_COOKIE, path="/", httponly=True, samesite="lax")
    response.delete_cookie(SECURE_COOKIE, path="/", httponly=True, secure=True, samesite="lax")

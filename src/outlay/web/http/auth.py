"""From request to actor: browser session or access token."""

from starlette.requests import Request
from starlette.responses import Response

from outlay.domain.actor import Actor
from outlay.domain.errors import Unauthenticated
from outlay.services.access import SESSION_LIFETIME
from outlay.services.bundle import Services

SECURE_COOKIE = "__Host-outlay_session"
PLAIN_COOKIE = "outlay_session"
"""Over plain HTTP on loopback, where browsers refuse the `__Host-` prefix."""


def services_of(request: Request) -> Services:
    """The services of the running installation."""
    services: Services = request.app.state.services
    return services


def session_token(request: Request) -> str | None:
    """The session cookie of a request."""
    name = SECURE_COOKIE if request.url.scheme == "https" else PLAIN_COOKIE
    return request.cookies.get(name)


def session_actor(request: Request) -> Actor:
    """Who is signed in; raises Unauthenticated when nobody is."""
    token = session_token(request)
    if not token:
        raise Unauthenticated("Please sign in.")
    return services_of(request).access.actor_of_session(token)


def bearer_token(request: Request) -> str | None:
    """The token of an `Authorization: Bearer` header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def token_actor(request: Request) -> Actor:
    """Whose access token a request carries; raises Unauthenticated without a good one."""
    token = bearer_token(request)
    if not token:
        raise Unauthenticated("Send an access token: Authorization: Bearer ota_…")
    return services_of(request).access.actor_of_token(token)


def reading_actor(request: Request) -> Actor:
    """Who reads: by access token where one is sent, else by session."""
    if bearer_token(request) is not None:
        return token_actor(request)
    return session_actor(request)


def set_session(response: Response, token: str, request: Request) -> None:
    """Put a session into the browser."""
    is_secure = request.url.scheme == "https"
    response.set_cookie(
        SECURE_COOKIE if is_secure else PLAIN_COOKIE,
        token,
        max_age=int(SESSION_LIFETIME.total_seconds()),
        path="/",
        httponly=True,
        secure=is_secure,
        samesite="lax",
    )


def clear_session(response: Response) -> None:
    """Take the session out of the browser."""
    response.delete_cookie(PLAIN_COOKIE, path="/", httponly=True, samesite="lax")
    response.delete_cookie(SECURE_COOKIE, path="/", httponly=True, secure=True, samesite="lax")

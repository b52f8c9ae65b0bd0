"""Signing in and out, and the choice of theme."""

from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, Form
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from outlay.domain.actor import Actor
from outlay.domain.errors import (
    Invalid,
    OutlayError,
    TooManyAttempts,
    Unauthenticated,
    Unavailable,
)
from outlay.domain.ids import OrganizationId
from outlay.domain.policy import Permission, has, is_limited
from outlay.kit.secrets import digest_secret, is_same_digest
from outlay.services.access.sign_in_throttle import DEVICE_LIFETIME
from outlay.services.access.sso import CALLBACK, CompletedSignIn
from outlay.web.dashboard.places import project_path
from outlay.web.dashboard.shell import chosen_project, projects_of
from outlay.web.dashboard.templating import THEME_COOKIE, THEMES, render_page
from outlay.web.http.auth import (
    Open,
    SignedIn,
    base_url,
    clear_session,
    is_secure,
    remote_of,
    request_id_of,
    services_of,
    session_actor,
    session_token,
    set_session,
)
from outlay.web.http.errors import status_of
from outlay.web.http.routes import Router

router = Router(include_in_schema=False)

SECURE_STATE_COOKIE: Final = "__Host-outlay_sso"
PLAIN_STATE_COOKIE: Final = "outlay_sso"
"""Over plain HTTP on loopback, where browsers refuse the `__Host-` prefix."""
STATE_SECONDS: Final = 600
ORGANIZATION_COOKIE: Final = "outlay_organization"
"""The organization slug of the last sign-in, used to prefill the form."""
YEAR_SECONDS: Final = 365 * 86_400

SECURE_DEVICE_COOKIE: Final = "__Host-outlay_device"
PLAIN_DEVICE_COOKIE: Final = "outlay_device"
"""Marks browsers that have signed in before; others are throttled after failures."""

HOME = "/"
MAX_TARGET: Final = 4_096
"""Maximum length in characters; it is kept during sign-in."""
SIGNING_IN = Open("unauthenticated users sign in here")


@router.get("/")
def get_root(request: Request, actor: Annotated[Actor, Depends(SignedIn())]) -> Response:
    """The first page that the actor may open."""
    if has(actor, Permission.ORGANIZATION_USAGE):
        return RedirectResponse("/organization/analytics", 303)
    projects = projects_of(services_of(request), actor)
    project = chosen_project(request, actor, projects)
    if project is None or is_limited(actor, Permission.PROJECT_USAGE):
        return RedirectResponse("/me/usage", 303)
    return RedirectResponse(project_path(project), 303)


@router.get("/login", dependencies=[Depends(SIGNING_IN)])
def get_login(request: Request) -> Response:
    """The sign-in form; signed-in users are redirected."""
    target = safe_target(request.query_params.get("next"))
    try:
        session_actor(request)
    except OutlayError:
        return _form(request, target)
    return RedirectResponse(target, 303)


@router.post("/login", dependencies=[Depends(SIGNING_IN)])
async def post_login(
    request: Request,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = HOME,
    organization: Annotated[str, Form()] = "",
) -> Response:
    """Sign in; a wrong pair shows the form again with an error."""
    target = safe_target(next)
    sign_in = services_of(request).administration.sign_in
    email, organization = email[:254], organization[:63]
    try:
        token = await sign_in.sign_in(
            email,
            password[:1024],
            remote_of(request),
            request_id_of(request),
            organization=organization,
            device=request.cookies.get(_device_cookie(request), "")[:512],
        )
    except (Invalid, Unauthenticated, Unavailable) as error:
        return await run_in_threadpool(_form, request, target, error, email, organization)
    response = RedirectResponse(target, 303)
    set_session(response, token, request)
    if organization:
        response.set_cookie(
            ORGANIZATION_COOKIE,
            organization,
            max_age=YEAR_SECONDS,
            path="/login",
            httponly=True,
            secure=is_secure(request),
            samesite="lax",
        )
    response.set_cookie(
        _device_cookie(request),
        await run_in_threadpool(sign_in.device_of, email, organization=organization),
        max_age=int(DEVICE_LIFETIME.total_seconds()),
        path="/",
        httponly=True,
        secure=is_secure(request),
        samesite="lax",
    )
    return response


def _device_cookie(request: Request) -> str:
    return SECURE_DEVICE_COOKIE if is_secure(request) else PLAIN_DEVICE_COOKIE


def _form(
    request: Request,
    target: str,
    error: OutlayError | None = None,
    email: str = "",
    organization: str = "",
) -> Response:
    services = services_of(request)
    organizations = services.administration.organizations.all()
    response = render_page(
        request,
        "login.html",
        actor=None,
        status=status_of(error) if error else 200,
        title="Sign in",
        next=target,
        email=email,
        error=error.message if error else None,
        is_new=not organizations,
        has_several=len(organizations) > 1,
        organization=(
            organization
            or request.query_params.get("organization")
            or request.cookies.get(ORGANIZATION_COOKIE, "")
        ),
        sso=services.sso.organizations(),
    )
    if isinstance(error, TooManyAttempts):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


@router.get("/login/sso", dependencies=[Depends(SIGNING_IN)])
async def get_sso(request: Request, organization: str = "", next: str = HOME) -> Response:
    """Redirect the browser to the identity provider of an organization."""
    services = services_of(request)
    try:
        await run_in_threadpool(
            services.administration.sign_in.throttle.begin_sso, remote_of(request)
        )
        departure = await services.sso.begin(
            organization[:63], safe_target(next), base_url(request)
        )
    except OutlayError as error:
        return await run_in_threadpool(_form, request, safe_target(next), error)
    response = RedirectResponse(departure.url, 303)
    name, path = _state_cookie(request)
    response.set_cookie(
        name,
        departure.state,
        max_age=STATE_SECONDS,
        path=path,
        httponly=True,
        secure=is_secure(request),
        samesite="lax",
    )
    return response


@router.get(CALLBACK + "/{organization_id}", dependencies=[Depends(SIGNING_IN)])
async def get_sso_callback(request: Request, organization_id: OrganizationId) -> Response:
    """Complete a sign-in at the identity provider of an organization."""
    name, path = _state_cookie(request)
    try:
        token, target = await services_of(request).sso.complete(
            _arrival(request, request.cookies.get(name, "")),
            organization_id=organization_id,
            base_url=base_url(request),
            request_id=request_id_of(request),
        )
    except OutlayError as refusal:
        response = await run_in_threadpool(_form, request, HOME, refusal)
    else:
        response = RedirectResponse(safe_target(target), 303)
        set_session(response, token, request)
    response.delete_cookie(name, path=path, secure=is_secure(request), httponly=True)
    return response


def _arrival(request: Request, held: str) -> CompletedSignIn:
    """The parameters that the browser returns with, none of them repeated (RFC 6749, section
    3.1)."""
    found = {name: request.query_params.getlist(name) for name in ("state", "code", "iss", "error")}
    if any(len(values) > 1 for values in found.values()):
        raise Unauthenticated("The identity provider sent a parameter twice. Sign in again.")
    state, code = "".join(found["state"]), "".join(found["code"])
    if not state or not is_same_digest(digest_secret(held), digest_secret(state)):
        raise Unauthenticated("This sign-in was not started in this browser. Sign in again.")
    if found["error"] or not code:
        raise Unauthenticated("The identity provider did not sign you in.")
    return CompletedSignIn(state, code, found["iss"][0] if found["iss"] else None)


@router.get(CALLBACK, dependencies=[Depends(SIGNING_IN)])
def get_former_sso_callback(request: Request) -> Response:
    """The common redirect path of earlier versions, before each organization had its own.

    Its parameters are ignored: it cannot tell which organization's provider redirected the browser.
    """
    return _form(
        request,
        HOME,
        Unauthenticated(
            "The identity provider redirected to an outdated URL. Ask an owner to register the "
            "redirect URL from Settings › Single sign-on: "
            f"{base_url(request)}{CALLBACK}/ followed by the organization ID."
        ),
    )


def _state_cookie(request: Request) -> tuple[str, str]:
    """The name and path of the cookie that holds the state of a sign-in."""
    return (SECURE_STATE_COOKIE, "/") if is_secure(request) else (PLAIN_STATE_COOKIE, "/login/sso")


@router.post("/logout", dependencies=[Depends(SIGNING_IN)])
def post_logout(request: Request) -> Response:
    """End the session."""
    if token := session_token(request):
        services_of(request).administration.sign_in.sign_out(token, request_id_of(request))
    response = RedirectResponse("/login", 303)
    clear_session(response)
    return response


@router.post("/theme", dependencies=[Depends(Open("a choice of colours"))])
def post_theme(
    theme: Annotated[str, Form()] = "system",
    next: Annotated[str, Form()] = HOME,
) -> Response:
    """Store the choice of light, dark or the system's theme."""
    response = RedirectResponse(safe_target(next), 303)
    response.set_cookie(
        THEME_COOKIE,
        theme if theme in THEMES else "system",
        max_age=YEAR_SECONDS,
        httponly=True,
        samesite="lax",
    )
    return response


def safe_target(target: str | None) -> str:
    """`target` if it is a page of this site, else the home page."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return HOME
    if len(target) > MAX_TARGET:
        return HOME
    parts = urlsplit(target)
    return HOME if parts.netloc or parts.scheme or not target.isprintable() else target

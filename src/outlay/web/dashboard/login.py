"""Signing in and out, and the choice of theme."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from outlay.domain.errors import OutlayError, Unauthenticated, Unavailable
from outlay.web.dashboard.pages import THEME_COOKIE, THEMES, render_page
from outlay.web.http.auth import (
    clear_session,
    services_of,
    session_actor,
    session_token,
    set_session,
)
from outlay.web.http.errors import status_of

router = APIRouter(include_in_schema=False)

HOME = "/organization/analytics"


@router.get("/login")
def get_login(request: Request) -> Response:
    """The form; whoever is signed in already goes on."""
    target = safe_target(request.query_params.get("next"))
    try:
        session_actor(request)
    except OutlayError:
        return render_page(
            request, "login.html", actor=None, title="Sign in", next=target, email="", error=None
        )
    return RedirectResponse(target, 303)


@router.post("/login")
async def post_login(
    request: Request,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = HOME,
) -> Response:
    """Sign in; a wrong pair shows the form again, saying so."""
    target = safe_target(next)
    remote = request.client.host if request.client else "unknown"
    try:
        token = await services_of(request).access.sign_in(email[:254], password[:1024], remote)
    except (Unauthenticated, Unavailable) as error:
        return render_page(
            request,
            "login.html",
            actor=None,
            status=status_of(error),
            title="Sign in",
            next=target,
            email=email[:254],
            error=error.message,
        )
    response = RedirectResponse(target, 303)
    set_session(response, token, request)
    return response


@router.post("/logout")
def post_logout(request: Request) -> Response:
    """End the session."""
    if token := session_token(request):
        services_of(request).access.sign_out(token)
    response = RedirectResponse("/login", 303)
    clear_session(response)
    return response


@router.post("/theme")
def post_theme(
    theme: Annotated[str, Form()] = "system",
    next: Annotated[str, Form()] = HOME,
) -> Response:
    """Remember light, dark or the system's choice."""
    response = RedirectResponse(safe_target(next), 303)
    response.set_cookie(
        THEME_COOKIE,
        theme if theme in THEMES else "system",
        max_age=365 * 86_400,
        httponly=True,
        samesite="lax",
    )
    return response


def safe_target(target: str | None) -> str:
    """`target` when it is a page of this site, else the home page."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return HOME
    parts = urlsplit(target)
    return HOME if parts.netloc or parts.scheme or not target.isprintable() else target

"""Pages for first access: setup, invitations, links to set a password."""

from collections.abc import Callable
from typing import Annotated, Any, Final
from zoneinfo import available_timezones

from fastapi import Depends, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from outlay.domain.errors import Conflict, Invalid, NotFound, OutlayError
from outlay.kit.secrets import digest_secret, is_same_digest
from outlay.web.dashboard.templating import render_page
from outlay.web.http.auth import Open, request_id_of, services_of, set_session
from outlay.web.http.errors import status_of
from outlay.web.http.routes import Router

router = Router(
    include_in_schema=False,
    dependencies=[Depends(Open("the link is for people without an account"))],
)

Field = Annotated[str, Form()]


@router.get("/setup/{secret}")
def get_setup(request: Request, secret: str) -> Response:
    """The form for the first organization and its owner."""
    _check_setup(request, secret)
    return _page(request, "setup.html", "Set up Outlay", {}, zones=zone_names())


@router.post("/setup/{secret}")
def post_setup(
    request: Request,
    secret: str,
    organization: Field = "",
    timezone: Field = "UTC",
    name: Field = "",
    email: Field = "",
    password: Field = "",
) -> Response:
    """Create the first organization and its owner, once, and sign the owner in."""
    _check_setup(request, secret)
    values = {"organization": organization, "timezone": timezone, "name": name, "email": email}
    return _enter(
        request,
        lambda: services_of(request).administration.sign_in.set_up(
            **values, password=password, request_id=request_id_of(request)
        ),
        "setup.html",
        "Set up Outlay",
        values,
        zones=zone_names(),
    )


def zone_names() -> list[str]:
    """The time zones that an organization can choose from: places, and UTC."""
    places = (name for name in available_timezones() if name.partition("/")[0] in _CONTINENTS)
    return ["UTC", *sorted(places)]


_CONTINENTS: Final = frozenset(
    [
        "Africa",
        "America",
        "Antarctica",
        "Arctic",
        "Asia",
        "Atlantic",
        "Australia",
        "Europe",
        "Indian",
        "Pacific",
    ]
)


@router.get("/invitation/{secret}")
def get_invitation(request: Request, secret: str) -> Response:
    """The form of an invitation."""
    return _page(request, "invitation.html", "Join", {}, **_invitation(request, secret))


@router.post("/invitation/{secret}")
def post_invitation(
    request: Request, secret: str, name: Field = "", password: Field = ""
) -> Response:
    """Become a member and sign in."""
    return _enter(
        request,
        lambda: services_of(request).administration.sign_in.accept(
            secret, name, password, request_id_of(request)
        ),
        "invitation.html",
        "Join",
        {"name": name},
        **_invitation(request, secret),
    )


@router.get("/password/{secret}")
def get_password(request: Request, secret: str) -> Response:
    """The form to set a password with."""
    member = services_of(request).administration.sign_in.member_of_link(secret)
    return _page(request, "password.html", "Set a password", {}, member=member)


@router.post("/password/{secret}")
def post_password(request: Request, secret: str, password: Field = "") -> Response:
    """Set the password and sign in."""
    sign_in = services_of(request).administration.sign_in
    return _enter(
        request,
        lambda: sign_in.set_password(secret, password, request_id_of(request)),
        "password.html",
        "Set a password",
        {},
        member=sign_in.member_of_link(secret),
    )


def _invitation(request: Request, secret: str) -> dict[str, Any]:
    invitation, organization = services_of(request).administration.sign_in.invitation(secret)
    return {"invitation": invitation, "organization": organization}


def _check_setup(request: Request, secret: str) -> None:
    """Raise NotFound unless this server printed the link and it is unused."""
    expected = request.app.state.setup_secret
    offered = is_same_digest(digest_secret(expected), digest_secret(secret))
    if not expected or not offered or not services_of(request).administration.sign_in.is_new():
        raise NotFound("This link has already been used, or the server has been restarted since.")


def _enter(
    request: Request,
    come_in: Callable[[], str],
    template: str,
    title: str,
    values: dict[str, str],
    **context: Any,
) -> Response:
    """Sign in with the session that `come_in` opens, or show the form again with the error."""
    try:
        token = come_in()
    except (Invalid, Conflict) as error:
        return _page(request, template, title, values, error, **context)
    response = RedirectResponse("/", 303)
    set_session(response, token, request)
    return response


def _page(
    request: Request,
    template: str,
    title: str,
    values: dict[str, str],
    error: OutlayError | None = None,
    **context: Any,
) -> Response:
    return render_page(
        request,
        template,
        actor=None,
        status=status_of(error) if error else 200,
        title=title,
        values=values,
        error=error.message if error else None,
        error_field=error.field if error else None,
        **context,
    )

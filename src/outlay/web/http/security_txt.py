"""`/.well-known/security.txt` (RFC 9116): the contact for reporting vulnerabilities."""

from datetime import timedelta
from typing import Final

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from outlay.domain.errors import NotFound
from outlay.web.http.auth import Open, services_of
from outlay.web.http.routes import Router

LIFETIME: Final = timedelta(days=180)
"""How long the file may be relied on after it was read."""

router = Router(
    dependencies=[Depends(Open("people who find vulnerabilities have no account"))],
    include_in_schema=False,
)


@router.get("/.well-known/security.txt")
def get_security_txt(request: Request) -> PlainTextResponse:
    """The contact that the operator has set; raises NotFound if there is none."""
    services = services_of(request)
    contact = services.settings.security_contact
    if not contact:
        raise NotFound("OUTLAY_SECURITY_CONTACT is not set.")
    expires = (services.clock.now() + LIFETIME).strftime("%Y-%m-%dT%H:%M:%SZ")
    return PlainTextResponse(f"Contact: {contact}\nExpires: {expires}\n")

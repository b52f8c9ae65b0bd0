"""`/api/v1/me`: the account of the caller."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from outlay.domain.actor import Actor, Scope
from outlay.domain.policy import Permission
from outlay.web.api.members import MemberAnswer, render_member
from outlay.web.api.models import Answer, Body, Flag
from outlay.web.api.organization import OrganizationAnswer, render_organization
from outlay.web.http.auth import Requires, services_of, session_token
from outlay.web.http.routes import Router

router = Router(prefix="/me", tags=["account"])

Reader = Annotated[Actor, Depends(Requires(Permission.ACCOUNT_READ))]
Writer = Annotated[Actor, Depends(Requires(Permission.ACCOUNT_WRITE))]


class AccountAnswer(Answer):
    """The caller, their organization and their permissions."""

    member: MemberAnswer
    organization: OrganizationAnswer
    scopes: list[Scope]


class AccountChange(Body):
    """The fields to change."""

    name: str


class PasswordBody(Body):
    """The current and the new password."""

    current: str
    password: str
    revoke_tokens: Flag = False
    """Whether to revoke all access tokens of the caller, too."""
    revoke_keys: Flag = False
    """Whether to revoke all API keys attributed to the caller, too."""


class EndedAnswer(Answer):
    """The number of ended sessions."""

    ended: int


@router.get("")
def get_me(request: Request, actor: Reader) -> AccountAnswer:
    """The member, the organization and the scopes of the credential."""
    administration = services_of(request).administration
    return AccountAnswer(
        member=render_member(administration.members.find(actor, actor.member_id)),
        organization=render_organization(administration.organizations.organization_of(actor)),
        scopes=sorted(actor.scopes),
    )


@router.patch("")
def patch_me(request: Request, body: AccountChange, actor: Writer) -> MemberAnswer:
    """Change your name."""
    members = services_of(request).administration.members
    return render_member(members.rename_self(actor, body.name))


@router.put("/password", status_code=204)
def put_password(request: Request, body: PasswordBody, actor: Writer) -> None:
    """Change your password. Ends all other sessions and, on request, revokes all your tokens and
    API keys."""
    services_of(request).administration.sign_in.change_password(
        actor,
        body.current,
        body.password,
        session_token(request),
        revokes_tokens=body.revoke_tokens,
        revokes_keys=body.revoke_keys,
    )


@router.delete("/sessions")
def delete_sessions(request: Request, actor: Writer) -> EndedAnswer:
    """End all other sessions."""
    sign_in = services_of(request).administration.sign_in
    return EndedAnswer(ended=sign_in.sign_out_others(actor, session_token(request)))

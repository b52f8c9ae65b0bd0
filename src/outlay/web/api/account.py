"""`/api/v1/me`: the account of whoever asks."""

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
    """Who asks, where, and with which rights."""

    member: MemberAnswer
    organization: OrganizationAnswer
    scopes: list[Scope]


class AccountChange(Body):
    """What is to be different."""

    name: str


class PasswordBody(Body):
    """The present password and the one to be."""

    current: str
    password: str
    revoke_tokens: Flag = False
    """Whether all access tokens of the caller are revoked as well."""
    revoke_keys: Flag = False
    """Whether all API keys that count as the caller's are revoked as well."""


class EndedAnswer(Answer):
    """How many sessions were ended."""

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
    """Change the own name."""
    members = services_of(request).administration.members
    return render_member(members.rename_self(actor, body.name))


@router.put("/password", status_code=204)
def put_password(request: Request, body: PasswordBody, actor: Writer) -> None:
    """Change the own password; other sessions end, and on request all tokens and API keys."""
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

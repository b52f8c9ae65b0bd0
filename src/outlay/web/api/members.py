"""`/api/v1/members` and `/api/v1/invitations`: the people of an organization."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from outlay.domain.actor import Actor, Role
from outlay.domain.ids import MemberId
from outlay.domain.organization import Invitation, Member
from outlay.domain.policy import Permission
from outlay.web.api.models import Answer, Body, given, render_us
from outlay.web.http.auth import Requires, base_url, services_of
from outlay.web.http.routes import Router

router = Router(tags=["members"])

Reader = Annotated[Actor, Depends(Requires(Permission.MEMBERS_READ))]
Writer = Annotated[Actor, Depends(Requires(Permission.MEMBERS_WRITE))]


class MemberChange(Body):
    """The fields to change."""

    name: str | None = None
    role: Role | None = None


class MemberAnswer(Answer):
    """A member."""

    member_id: MemberId
    name: str
    email: str
    role: Role
    created_at: str | None


class MemberList(Answer):
    """Members by name."""

    members: list[MemberAnswer]


class InvitationBody(Body):
    """The person to invite."""

    email: str
    role: Role = Role.DEVELOPER


class InvitationAnswer(Answer):
    """An open invitation."""

    invitation_id: str
    email: str
    role: Role
    created_at: str | None
    expires_at: str | None


class NewInvitationAnswer(InvitationAnswer):
    """An invitation with its link, which is shown only once. Pass it on to the invited person."""

    url: str


class InvitationList(Answer):
    """Open invitations, oldest first."""

    invitations: list[InvitationAnswer]


class LinkAnswer(Answer):
    """A link that works once and is shown only once."""

    url: str


class LeftMention(Answer):
    """A place where the person is still mentioned."""

    place: str
    """Table and column, or `backups` for earlier copies of the data."""
    count: int


class ErasureAnswer(Answer):
    """The result of an erasure."""

    member_id: MemberId
    events: int
    values: int
    left: list[LeftMention]
    """Texts written by users or senders that still contain the name or address."""


def render_member(member: Member) -> MemberAnswer:
    """The answer for a member."""
    return MemberAnswer(
        member_id=member.member_id,
        name=member.name,
        email=member.email,
        role=member.role,
        created_at=render_us(member.created_at_us),
    )


def _render_invitation(invitation: Invitation) -> InvitationAnswer:
    return InvitationAnswer(
        invitation_id=invitation.invitation_id,
        email=invitation.email,
        role=invitation.role,
        created_at=render_us(invitation.created_at_us),
        expires_at=render_us(invitation.expires_at_us),
    )


@router.get("/members")
def get_members(request: Request, actor: Reader) -> MemberList:
    """List the members of the organization."""
    found = services_of(request).administration.members.list_for(actor)
    return MemberList(members=[render_member(member) for member in found])


@router.get("/members/{member_id}")
def get_member(request: Request, member_id: MemberId, actor: Reader) -> MemberAnswer:
    """One member."""
    return render_member(services_of(request).administration.members.find(actor, member_id))


@router.patch("/members/{member_id}")
def patch_member(
    request: Request, member_id: MemberId, body: MemberChange, actor: Writer
) -> MemberAnswer:
    """Change the name or role of a member; a new role signs the member out."""
    members = services_of(request).administration.members
    return render_member(members.update(actor, member_id, **given(body)))


@router.delete("/members/{member_id}", status_code=204)
def delete_member(request: Request, member_id: MemberId, actor: Writer) -> None:
    """Remove a member. API keys that they created keep working."""
    services_of(request).administration.members.remove(actor, member_id)


@router.post("/members/{member_id}/password-link", status_code=201)
def post_password_link(request: Request, member_id: MemberId, actor: Writer) -> LinkAnswer:
    """Create a link with which a member can set a new password, once, within a day."""
    secret = services_of(request).administration.members.create_password_link(actor, member_id)
    return LinkAnswer(url=f"{base_url(request)}/password/{secret}")


@router.post("/members/{member_id}/erase")
def post_erase(
    request: Request,
    member_id: MemberId,
    actor: Annotated[Actor, Depends(Requires(Permission.MEMBERS_ERASE))],
) -> ErasureAnswer:
    """Erase the identity of a current or former member permanently. Totals do not change."""
    report = services_of(request).erasure.erase(actor, member_id)
    return ErasureAnswer(
        member_id=report.member_id,
        events=report.events,
        values=report.values,
        left=[LeftMention(place=place, count=count) for place, count in report.left.items()],
    )


@router.get("/invitations")
def get_invitations(request: Request, actor: Reader) -> InvitationList:
    """List the open invitations."""
    found = services_of(request).administration.members.invitations(actor)
    return InvitationList(invitations=[_render_invitation(entry) for entry in found])


@router.post("/invitations", status_code=201)
def post_invitation(request: Request, body: InvitationBody, actor: Writer) -> NewInvitationAnswer:
    """Invite a person. The link is returned only here."""
    members = services_of(request).administration.members
    invitation, secret = members.invite(actor, body.email, body.role)
    return NewInvitationAnswer(
        url=f"{base_url(request)}/invitation/{secret}",
        **_render_invitation(invitation).model_dump(),
    )


@router.delete("/invitations/{invitation_id}", status_code=204)
def delete_invitation(request: Request, invitation_id: str, actor: Writer) -> None:
    """Revoke an invitation."""
    services_of(request).administration.members.revoke_invitation(actor, invitation_id)

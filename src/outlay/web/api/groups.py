"""`/api/v1/groups`: user groups and their dated memberships."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from outlay.domain.actor import Actor
from outlay.domain.ids import GroupId, MemberId
from outlay.domain.organization import GroupMembership, UserGroup
from outlay.domain.policy import Permission
from outlay.web.api.models import Answer, Body, Instant, render_us
from outlay.web.http.auth import Requires, services_of
from outlay.web.http.routes import Router

router = Router(prefix="/groups", tags=["user groups"])

Reader = Annotated[Actor, Depends(Requires(Permission.GROUPS_READ))]
Writer = Annotated[Actor, Depends(Requires(Permission.GROUPS_WRITE))]


class GroupBody(Body):
    """A new user group."""

    name: str


class MembershipBody(Body):
    """The start of the membership; now if omitted."""

    since: Instant | None = None


class MembershipAnswer(Answer):
    """A member's time in a group, the end exclusive."""

    member_id: MemberId
    since: str | None
    until: str | None


class GroupAnswer(Answer):
    """A user group with its memberships, including past ones."""

    group_id: GroupId
    name: str
    created_at: str | None
    memberships: list[MembershipAnswer]


class GroupList(Answer):
    """User groups by name."""

    groups: list[GroupAnswer]


def _render(group: UserGroup, memberships: list[GroupMembership]) -> GroupAnswer:
    return GroupAnswer(
        group_id=group.group_id,
        name=group.name,
        created_at=render_us(group.created_at_us),
        memberships=[_render_membership(m) for m in memberships if m.group_id == group.group_id],
    )


def _render_membership(membership: GroupMembership) -> MembershipAnswer:
    return MembershipAnswer(
        member_id=membership.member_id,
        since=render_us(membership.valid_from_us),
        until=render_us(membership.valid_to_us),
    )


@router.get("")
def get_groups(request: Request, actor: Reader) -> GroupList:
    """List the user groups of the organization."""
    groups = services_of(request).administration.groups
    memberships = groups.memberships(actor)
    return GroupList(groups=[_render(group, memberships) for group in groups.list_for(actor)])


@router.post("", status_code=201)
def post_group(request: Request, body: GroupBody, actor: Writer) -> GroupAnswer:
    """Create a user group."""
    return _render(services_of(request).administration.groups.create(actor, body.name), [])


@router.patch("/{group_id}")
def patch_group(request: Request, group_id: GroupId, body: GroupBody, actor: Writer) -> GroupAnswer:
    """Rename a user group."""
    groups = services_of(request).administration.groups
    return _render(groups.rename(actor, group_id, body.name), groups.memberships(actor))


@router.delete("/{group_id}", status_code=204)
def delete_group(request: Request, group_id: GroupId, actor: Writer) -> None:
    """Delete a user group: its memberships end, its usage remains in all totals."""
    services_of(request).administration.groups.delete(actor, group_id)


@router.put("/{group_id}/members/{member_id}")
def put_member(
    request: Request, group_id: GroupId, member_id: MemberId, body: MembershipBody, actor: Writer
) -> MembershipAnswer:
    """Add a member to a group. Recorded requests keep the groups they were recorded with."""
    groups = services_of(request).administration.groups
    return _render_membership(groups.add_member(actor, group_id, member_id, body.since))


@router.delete("/{group_id}/members/{member_id}", status_code=204)
def delete_member(request: Request, group_id: GroupId, member_id: MemberId, actor: Writer) -> None:
    """Remove a member from a group, from now on."""
    services_of(request).administration.groups.remove_member(actor, group_id, member_id)

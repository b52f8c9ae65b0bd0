"""Members as actors: identity, role and scopes."""

from outlay.domain.actor import NO_TOKEN, Actor, Channel, Scope
from outlay.domain.ids import MemberId, TokenId
from outlay.storage.directory.members import find_member
from outlay.storage.directory.organizations import find_organization
from outlay.storage.directory.session import ReadSession


def actor_for(
    session: ReadSession,
    member_id: MemberId,
    scopes: frozenset[Scope],
    channel: Channel,
    credential_id: TokenId = NO_TOKEN,
    request_id: str = "",
) -> Actor | None:
    """A current member as an actor, None if the member was removed."""
    member = find_member(session, member_id)
    if member is None or member.is_deleted:
        return None
    organization = find_organization(session, member.organization_id)
    if organization is None:
        return None
    return Actor(
        organization_id=organization.organization_id,
        organization_name=organization.name,
        plan=organization.plan,
        timezone=organization.timezone,
        member_id=member.member_id,
        member_name=member.name,
        email=member.email,
        role=member.role,
        scopes=scopes,
        channel=channel,
        credential_id=credential_id,
        request_id=request_id,
    )

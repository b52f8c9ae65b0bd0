"""A member as an actor."""

from outlay.domain.actor import ALL_SCOPES, Actor, Channel, Role
from outlay.domain.ids import MemberId
from outlay.domain.organization import Member
from outlay.services.bundle import Administration
from outlay.services.directory.actors import actor_for
from outlay.storage.directory.engine import Directory


def test_an_actor_has_the_role_and_organization_of_the_member(
    directory: Directory, operator: Actor, owner: Member
) -> None:
    with directory.read() as session:
        actor = actor_for(session, owner.member_id, ALL_SCOPES, Channel.SESSION, request_id="r")

    assert actor is not None
    assert (actor.role, actor.email, actor.request_id) == (Role.OWNER, owner.email, "r")
    assert (actor.organization_id, actor.plan) == (operator.organization_id, operator.plan)
    assert not actor.is_operator


def test_removed_or_unknown_member_is_no_actor(
    administration: Administration, directory: Directory, operator: Actor, owner: Member
) -> None:
    organization = administration.organizations.organization_of(operator)
    other = administration.sign_in.set_owner(
        organization, "bob@example.test", "several words are best"
    )
    administration.members.remove(operator, other.member_id)
    with directory.read() as session:
        for member_id in (other.member_id, MemberId("nobody")):
            assert actor_for(session, member_id, ALL_SCOPES, Channel.SESSION) is None

"""Members: invited, changed, removed; there is always an owner."""

from datetime import timedelta

import pytest
from tests.clocks import FixedClock

from outlay.domain.actor import Actor, Role
from outlay.domain.errors import Conflict, NotFound
from outlay.domain.organization import Member
from outlay.services.bundle import Administration


def test_an_address_is_invited_once_at_a_time(
    administration: Administration, operator: Actor, owner: Member, clock: FixedClock
) -> None:
    members = administration.members
    members.invite(operator, "bob@example.test", Role.DEVELOPER)
    for email in ("BOB@example.test", owner.email):
        with pytest.raises(Conflict):
            members.invite(operator, email, Role.DEVELOPER)
    clock.instant += timedelta(days=60)
    members.invite(operator, "bob@example.test", Role.ADMIN)


def test_an_invitation_is_revoked_once(administration: Administration, operator: Actor) -> None:
    members = administration.members
    invitation, _ = members.invite(operator, "bob@example.test", Role.DEVELOPER)
    members.revoke_invitation(operator, invitation.invitation_id)

    assert members.invitations(operator) == []
    with pytest.raises(NotFound):
        members.revoke_invitation(operator, invitation.invitation_id)


def test_last_owner_stays(administration: Administration, operator: Actor, owner: Member) -> None:
    members = administration.members
    with pytest.raises(Conflict):
        members.remove(operator, owner.member_id)
    with pytest.raises(Conflict):
        members.update(operator, owner.member_id, role=Role.ADMIN)

    assert members.find(operator, owner.member_id).role is Role.OWNER


def test_members_are_called_by_address(
    administration: Administration, operator: Actor, owner: Member
) -> None:
    members = administration.members

    assert members.find_by_email(operator, owner.email).member_id == owner.member_id
    with pytest.raises(NotFound, match="no member eve"):
        members.find_by_email(operator, "eve@example.test")

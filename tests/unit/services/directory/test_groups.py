"""Groups: their dated memberships."""

from datetime import timedelta

import pytest
from tests.clocks import FixedClock
from tests.factories import NOW

from outlay.domain.actor import Actor
from outlay.domain.errors import Conflict, Invalid, NotFound
from outlay.domain.ids import GroupId
from outlay.domain.organization import Member
from outlay.kit.clock import to_us
from outlay.services.bundle import Administration
from outlay.services.directory.groups import Groups


@pytest.fixture
def groups(administration: Administration) -> Groups:
    return administration.groups


@pytest.fixture
def group_id(groups: Groups, operator: Actor) -> GroupId:
    return groups.create(operator, "Team").group_id


def test_a_member_joins_and_leaves_at_an_instant(
    groups: Groups, operator: Actor, owner: Member, group_id: GroupId
) -> None:
    joined, left = NOW - timedelta(days=2), NOW - timedelta(days=1)
    groups.add_member(operator, group_id, owner.member_id, joined)
    groups.remove_member(operator, group_id, owner.member_id, left)
    groups.add_member(operator, group_id, owner.member_id)

    spans = [(one.valid_from_us, one.valid_to_us) for one in groups.memberships(operator)]
    assert sorted(spans) == [(to_us(joined), to_us(left)), (to_us(NOW), None)]


def test_memberships_in_a_group_cannot_overlap(
    groups: Groups, operator: Actor, owner: Member, group_id: GroupId
) -> None:
    groups.add_member(operator, group_id, owner.member_id)
    for since in (None, NOW - timedelta(days=1), NOW + timedelta(days=1)):
        with pytest.raises(Conflict):
            groups.add_member(operator, group_id, owner.member_id, since)


def test_membership_cannot_end_before_it_begins(
    groups: Groups, operator: Actor, owner: Member, group_id: GroupId
) -> None:
    with pytest.raises(NotFound):
        groups.remove_member(operator, group_id, owner.member_id)
    groups.add_member(operator, group_id, owner.member_id)
    with pytest.raises(Invalid):
        groups.remove_member(operator, group_id, owner.member_id, NOW - timedelta(days=1))


def test_memberships_end_with_their_group(
    groups: Groups, operator: Actor, owner: Member, group_id: GroupId, clock: FixedClock
) -> None:
    groups.add_member(operator, group_id, owner.member_id)
    clock.instant += timedelta(hours=1)
    groups.delete(operator, group_id)

    assert groups.list_for(operator) == []
    assert groups.memberships(operator) == []
    with pytest.raises(NotFound):
        groups.rename(operator, group_id, "Other")

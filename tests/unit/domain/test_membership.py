"""When a member is in a group."""

import pytest

from outlay.domain.ids import GroupId, MemberId
from outlay.domain.organization import GroupMembership


def membership(valid_to_us: int | None) -> GroupMembership:
    """A membership that begins at 10."""
    return GroupMembership(
        group_id=GroupId("g"), member_id=MemberId("m"), valid_from_us=10, valid_to_us=valid_to_us
    )


@pytest.mark.parametrize(
    ("valid_to_us", "at_us", "is_valid"),
    [
        (None, 9, False),
        (None, 10, True),
        (20, 19, True),
        (20, 20, False),
        (0, 5, False),
    ],
)
def test_a_membership_is_valid_from_its_start_until_before_its_end(
    valid_to_us: int | None, at_us: int, is_valid: bool
) -> None:
    assert membership(valid_to_us).is_valid_at(at_us) is is_valid

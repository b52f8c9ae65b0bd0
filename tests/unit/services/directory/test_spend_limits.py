"""Setting limits: one per scope and interval, for existing objects."""

import pytest

from outlay.domain.actor import Actor
from outlay.domain.audit import AuditFilter
from outlay.domain.errors import Invalid, NotFound
from outlay.domain.money import MAX_PUSD, Pusd
from outlay.domain.organization import Member
from outlay.domain.spend_limit import LimitInterval, LimitScope
from outlay.services.bundle import Administration

DAY = LimitInterval.DAY


def test_new_limit_replaces_the_previous_one(
    administration: Administration, operator: Actor, owner: Member
) -> None:
    limits = administration.limits
    for amount in (5, 7, 7):
        limits.put(operator, LimitScope.MEMBER, owner.member_id, DAY, Pusd(amount))
    limits.put(operator, LimitScope.MEMBER, owner.member_id, LimitInterval.MONTH, Pusd(9))

    assert sorted(limit.amount_pusd for limit in limits.list_for(operator)) == [7, 9]
    changes = [
        entry
        for entry in administration.audit.all(operator, AuditFilter())
        if entry.entry.action.startswith("limit.")
    ]
    assert len(changes) == 3, "what changes nothing is no entry"


@pytest.mark.parametrize("amount", [-1, MAX_PUSD + 1])
def test_an_amount_out_of_range_is_refused(
    administration: Administration, operator: Actor, owner: Member, amount: int
) -> None:
    with pytest.raises(Invalid):
        administration.limits.put(operator, LimitScope.MEMBER, owner.member_id, DAY, Pusd(amount))


@pytest.mark.parametrize("scope", LimitScope)
def test_limit_for_an_unknown_object_is_refused(
    administration: Administration, operator: Actor, scope: LimitScope
) -> None:
    with pytest.raises(NotFound) as refused:
        administration.limits.put(operator, scope, "nothing", DAY, Pusd(1))
    assert refused.value.field == "scopeId"
    with pytest.raises(NotFound):
        administration.limits.delete(operator, scope, "nothing", DAY)


def test_a_limit_is_removed(administration: Administration, operator: Actor, owner: Member) -> None:
    limits = administration.limits
    limits.put(operator, LimitScope.MEMBER, owner.member_id, DAY, Pusd(1))
    limits.delete(operator, LimitScope.MEMBER, owner.member_id, DAY)

    assert limits.list_for(operator) == []

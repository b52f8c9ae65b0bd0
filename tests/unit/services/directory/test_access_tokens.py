"""Access tokens: never more rights or a longer life than what created them."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.factories import NOW

from outlay.domain.actor import Actor, Channel, Scope
from outlay.domain.errors import Conflict, Invalid, NotPermitted
from outlay.domain.organization import Member
from outlay.kit.clock import to_us
from outlay.services.bundle import Administration


@pytest.fixture
def actor(operator: Actor, owner: Member) -> Actor:
    """The owner, signed in."""
    return replace(operator, member_id=owner.member_id, email=owner.email, channel=Channel.SESSION)


def test_token_has_no_more_rights_than_its_creator(
    administration: Administration, actor: Actor
) -> None:
    few = replace(actor, scopes=frozenset({Scope.USAGE_READ}), channel=Channel.TOKEN)
    with pytest.raises(NotPermitted) as refused:
        administration.tokens.create(few, description="t", scopes=Scope)
    assert refused.value.code == "scope-exceeded"
    with pytest.raises(Invalid):
        administration.tokens.create(actor, description="t", scopes=[])


def test_token_created_with_another_expires_with_it(
    administration: Administration, actor: Actor
) -> None:
    tokens = administration.tokens
    soon = NOW + timedelta(days=1)
    parent, _ = tokens.create(actor, description="parent", scopes=Scope, expires_at=soon)
    with_parent = replace(actor, credential_id=parent.token_id, channel=Channel.TOKEN)
    child, _ = tokens.create(
        with_parent, description="child", scopes=Scope, expires_at=NOW + timedelta(days=9)
    )
    assert child.expires_at_us == to_us(soon)
    tokens.revoke(actor, parent.token_id)

    assert tokens.list_for(actor) == []
    with pytest.raises(Conflict):
        tokens.revoke(actor, child.token_id)


def test_token_with_a_past_expiry_is_refused(administration: Administration, actor: Actor) -> None:
    with pytest.raises(Invalid) as refused:
        administration.tokens.create(actor, description="t", scopes=Scope, expires_at=NOW)
    assert refused.value.field == "expiresAt"

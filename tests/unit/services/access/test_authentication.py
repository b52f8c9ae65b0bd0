"""From credential to actor."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.clocks import FixedClock
from tests.factories import NOW

from outlay.domain.actor import Actor, Channel, Scope
from outlay.domain.errors import Unauthenticated
from outlay.domain.organization import Member
from outlay.services.access.authentication import Access, parse_token
from outlay.services.bundle import Administration
from outlay.storage.directory.engine import Directory


@pytest.fixture
def access(directory: Directory, clock: FixedClock) -> Access:
    return Access(directory, clock)


@pytest.fixture
def text(administration: Administration, operator: Actor, owner: Member) -> str:
    """A token that expires in a day."""
    _, made = administration.tokens.create(
        operator,
        description="t",
        scopes=[Scope.USAGE_READ],
        expires_at=NOW + timedelta(days=1),
        member_id=owner.member_id,
    )
    return made


@pytest.mark.parametrize("token", ["", "ota", "ota_", "ota__x", "ota_x_", "otl_x_y"])
def test_malformed_token_is_refused(token: str) -> None:
    with pytest.raises(Unauthenticated):
        parse_token(token)


def test_a_token_names_its_member_and_scopes(access: Access, text: str, owner: Member) -> None:
    actor = access.actor_of_token(text)

    assert (actor.member_id, actor.channel) == (owner.member_id, Channel.TOKEN)
    assert actor.scopes == {Scope.USAGE_READ}
    with pytest.raises(Unauthenticated):
        access.actor_of_token(text + "x")


def test_expired_token_is_refused(
    administration: Administration, access: Access, text: str, operator: Actor, clock: FixedClock
) -> None:
    clock.instant = NOW + timedelta(days=1)
    with pytest.raises(Unauthenticated):
        access.actor_of_token(text)
    clock.instant = NOW
    administration.tokens.revoke(replace(operator), parse_token(text)[0])
    with pytest.raises(Unauthenticated):
        access.actor_of_token(text)


def test_unknown_session_is_refused(access: Access) -> None:
    with pytest.raises(Unauthenticated):
        access.actor_of_session("made up")

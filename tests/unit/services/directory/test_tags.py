"""Registered tags."""

import pytest

from outlay.domain.actor import Actor
from outlay.domain.errors import Conflict, Invalid, NotFound
from outlay.domain.tag import MAX_KEYS
from outlay.services.bundle import Administration


def test_a_key_is_registered_once_and_removed_once(
    administration: Administration, operator: Actor
) -> None:
    tags = administration.tags
    tags.add(operator, "team")
    with pytest.raises(Conflict):
        tags.add(operator, "team")
    assert [one.key for one in tags.list_for(operator)] == ["team"]
    tags.remove(operator, "team")
    with pytest.raises(NotFound):
        tags.remove(operator, "team")


def test_number_of_keys_is_limited(administration: Administration, operator: Actor) -> None:
    tags = administration.tags
    for number in range(MAX_KEYS):
        tags.add(operator, f"key-{number}")
    with pytest.raises(Invalid) as refused:
        tags.add(operator, "another")
    assert refused.value.code == "too-many-tags"

"""Organizations: unique names and slugs, and finding one by name."""

import pytest

from outlay.domain.errors import Conflict, Invalid, NotFound
from outlay.domain.organization import operator_of
from outlay.services.bundle import Administration


def test_names_and_slugs_are_taken_once(administration: Administration) -> None:
    organizations = administration.organizations
    organizations.create("Acme")
    with pytest.raises(Conflict):
        organizations.create("Acme")
    with pytest.raises(Conflict):
        organizations.create("ACME!")
    other = operator_of(organizations.create("Other"))
    with pytest.raises(Conflict):
        organizations.update(other, name="Acme")


def test_only_organization_needs_no_name(administration: Administration) -> None:
    organizations = administration.organizations
    assert organizations.find_by_name(None) is None
    acme = organizations.create("Acme")

    assert organizations.find_by_name(None) == acme
    assert organizations.find_by_name("Acme") == acme
    with pytest.raises(NotFound, match="Nobody"):
        organizations.find_by_name("Nobody")
    organizations.create("Other")
    with pytest.raises(Invalid, match="Choose one of"):
        organizations.find_by_name(None)

"""Valid names, addresses and slugs."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.domain.errors import Invalid, NotFound
from outlay.domain.ids import OrganizationId, ProjectId
from outlay.domain.organization import Project
from outlay.services.directory.text_rules import (
    check_email,
    check_found,
    check_name,
    check_owned,
    check_present,
    check_slug,
    slug_of,
)


def test_name_is_stripped_of_surrounding_space() -> None:
    assert check_name("  Acme GmbH ") == "Acme GmbH"


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb", "a\u202eb"])
def test_a_name_is_short_and_printable(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_name(name, "description")
    assert refused.value.field == "description"


@pytest.mark.parametrize("email", ["dana@example.com", " a.b+c@x.y ", "ä@ü.test"])
def test_an_address(email: str) -> None:
    assert check_email(email) == email.strip()


@pytest.mark.parametrize("email", ["", "dana", "@x", "a@b@c", "a b@c", "a@b,c@d", "x" * 255])
def test_invalid_address_is_refused(email: str) -> None:
    with pytest.raises(Invalid):
        check_email(email)


@pytest.mark.parametrize("slug", ["", "-a", "a-", "a--b", "A", "a_b", "x" * 64])
def test_invalid_slug_is_refused(slug: str) -> None:
    with pytest.raises(Invalid):
        check_slug(slug)


@given(st.text())
def test_slug_derived_from_a_name_is_valid_or_empty(name: str) -> None:
    slug = slug_of(name)

    assert slug == "" or check_slug(slug) == slug


def test_deleted_and_foreign_objects_are_not_found() -> None:
    acme, other = OrganizationId("acme"), OrganizationId("other")
    project = Project(project_id=ProjectId("p"), organization_id=acme, name="Web")
    deleted = replace(project, is_deleted=True)

    assert check_found(project, "project") == project
    assert check_present(project, acme, "project") == project
    assert check_owned(deleted, acme, "project") == deleted
    for thing, organization_id in ((None, acme), (deleted, acme), (project, other)):
        with pytest.raises(NotFound, match="no such project"):
            check_present(thing, organization_id, "project")

"""Valid names, addresses and slugs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.domain.errors import Invalid, NotFound
from outlay.services.directory.text_rules import check_email, check_name, check_slug, pick, slug_of


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


def test_object_is_picked_by_its_property() -> None:
    assert pick([1, 2, 3], lambda number: number > 1, "number") == 2
    with pytest.raises(NotFound, match="no such number"):
        pick([1], lambda number: number > 1, "number")

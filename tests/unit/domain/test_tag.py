"""Tags: valid keys and values, and their stored form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.domain.dimension import Dimension
from outlay.domain.errors import Invalid
from outlay.domain.tag import MAX_VALUE, Tag, clean_value, join_tags, read_tags, split_tags

keys = st.from_regex(r"[a-z][a-z0-9_.-]{0,39}", fullmatch=True)


@given(st.dictionaries(keys, st.text()))
def test_tags_round_trip(claims: dict[str, str]) -> None:
    tags = {key: value for key, claim in claims.items() if (value := clean_value(claim))}
    text = join_tags(tags)

    assert split_tags(text) == tags
    assert join_tags(split_tags(text)) == text
    assert text.isprintable()
    assert all(len(value) <= MAX_VALUE for value in tags.values())


@pytest.mark.parametrize("key", ["", "Team", "1", "a b", "a=b", "a,b", "a" * 41, "ä", "a'", "a\n"])
def test_invalid_keys_are_refused(key: str) -> None:
    with pytest.raises(Invalid, match="A tag key"):
        Tag(key)


def test_tag_can_be_used_like_a_dimension() -> None:
    found = sorted([Tag("team"), Dimension.MODEL, Tag("env")])

    assert found == ["model", "tag:env", "tag:team"]
    assert {Tag("team"): 1}[Tag("team")] == 1
    assert (Tag("team").key, Tag("team").value) == ("team", "tag:team")


def test_invalid_parts_of_a_header_are_ignored() -> None:
    assert read_tags(" Team = search ,env=prod,, broken, =x, empty= ,a=b=c") == {
        "team": "search",
        "env": "prod",
        "": "x",
        "a": "b=c",
    }

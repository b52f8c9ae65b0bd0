"""Tags: what senders say of requests under keys that an organization has registered.

An event keeps the set of its tags as one text, and the cube groups and filters by each key.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.ids import OrganizationId

MAX_KEYS: Final = 20
"""Keys that an organization may register."""

MAX_VALUES: Final = 1_000
"""Values that are kept apart of a key; further ones are all MORE."""

MAX_VALUE: Final = 64
"""Longest value, in characters."""

MORE: Final = "(more)"

PREFIX: Final = "tag:"
"""How the dimension of a key is called: `tag:team`."""

_KEY: Final = re.compile(r"[a-z][a-z0-9_.-]{0,39}")


class Tag(str):
    """The dimension of a registered key; as text `tag:team`, like a `Dimension` its word."""

    __slots__ = ()

    column: Final = "tags"
    """That of the set of tags."""
    is_single_valued: Final = True

    def __new__(cls, key: str) -> "Tag":
        """The dimension of a key; Invalid for what cannot be one."""
        return super().__new__(cls, f"{PREFIX}{check_key(key)}")

    @property
    def key(self) -> str:
        """The key itself."""
        return self.removeprefix(PREFIX)

    @property
    def value(self) -> str:
        """The word used in the API."""
        return str(self)

    @property
    def noun(self) -> str:
        """Its name in sentences and headings."""
        return self.key

    @property
    def plural(self) -> str:
        """The same of several."""
        return f"values of {self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagKey:
    """A key that an organization has registered."""

    organization_id: OrganizationId
    key: str
    created_at_us: int


def check_key(key: str) -> str:
    """The key itself, or Invalid saying what keys are."""
    if not _KEY.fullmatch(key):
        raise Invalid(
            "a tag's key is up to 40 small letters, digits, dots, dashes and underscores and "
            f"begins with a letter, not {key[:60]!r}",
            code=ErrorCode.INVALID_TAG_KEY,
            field="key",
        )
    return key


def clean_value(value: str) -> str:
    """A value as it may be stored: what separates tags is taken out, and it is cut to length."""
    text = "".join(c for c in value if c.isprintable() and c not in ",=").strip()
    return text[:MAX_VALUE].strip()


def join_tags(tags: Mapping[str, str]) -> str:
    """The stored form of a set of tags: `key=value`, sorted, comma-joined; empty for none."""
    return ",".join(f"{key}={tags[key]}" for key in sorted(tags)) if tags else ""


def split_tags(text: str) -> dict[str, str]:
    """The tags in a stored set."""
    pairs = (part.partition("=") for part in text.split(",")) if text else ()
    return {key: value for key, _, value in pairs}


def read_tags(text: str) -> dict[str, str]:
    """Tags as a header has them, `team=search,env=prod`; what is none is left out."""
    pairs = (part.partition("=") for part in text.split(","))
    return {
        key.strip().lower(): value.strip() for key, sign, value in pairs if sign and value.strip()
    }

"""Tags: values that senders give requests under keys registered by the organization.

An event stores the set of its tags as one text, and the cube groups and filters by each key.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.ids import OrganizationId

MAX_KEYS: Final = 20
"""Maximum number of keys that an organization can register."""

MAX_VALUES: Final = 1_000
"""Maximum number of distinct values of a key; further ones are counted as MORE."""

MAX_VALUE: Final = 64
"""Longest value, in characters."""

MORE: Final = "(more)"

PREFIX: Final = "tag:"
"""Prefix of the dimension of a key: `tag:team`."""

_KEY: Final = re.compile(r"[a-z][a-z0-9_.-]{0,39}")


class Tag(str):
    """The dimension of a registered key; its text, like a `Dimension`'s, is the API's word:
    `tag:team`.
    """

    __slots__ = ()

    column: Final = "tags"
    """The column of the set of tags."""
    is_single_valued: Final = True

    def __new__(cls, key: str) -> "Tag":
        """The dimension of a key; raises Invalid if the key is not valid."""
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
        """Its plural."""
        return f"values of {self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagKey:
    """A key registered by an organization."""

    organization_id: OrganizationId
    key: str
    created_at_us: int


def check_key(key: str) -> str:
    """The key itself; raises Invalid if it is not valid."""
    if not _KEY.fullmatch(key):
        raise Invalid(
            "A tag key must start with a letter and have up to 40 lower-case letters, digits, "
            f"dots, dashes and underscores, not {key[:60]!r}.",
            code=ErrorCode.INVALID_TAG_KEY,
            field="key",
        )
    return key


def clean_value(value: str) -> str:
    """A value in storable form: without separators, cut to the maximum length."""
    text = "".join(c for c in value if c.isprintable() and c not in ",=").strip()
    return text[:MAX_VALUE].strip()


def join_tags(tags: Mapping[str, str]) -> str:
    """The stored form of a set of tags: `key=value`, sorted, comma-separated; empty for no tags."""
    return ",".join(f"{key}={tags[key]}" for key in sorted(tags)) if tags else ""


def split_tags(text: str) -> dict[str, str]:
    """The tags of the stored form."""
    pairs = (part.partition("=") for part in text.split(",")) if text else ()
    return {key: value for key, _, value in pairs}


def read_tags(text: str) -> dict[str, str]:
    """Tags in header form, `team=search,env=prod`; invalid ones are left out."""
    pairs = (part.partition("=") for part in text.split(","))
    return {
        key.strip().lower(): value.strip() for key, sign, value in pairs if sign and value.strip()
    }

"""Rules for texts entered by users."""

import re
from collections.abc import Iterable
from typing import Final, Protocol, TypeVar

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Conflict, Invalid, NotFound
from outlay.domain.ids import OrganizationId

MAX_NAME: Final = 100
MAX_EMAIL: Final = 254
"""RFC 5321, section 4.5.3.1.3, without its angle brackets."""

_EMAIL: Final = re.compile(r"[^@\s\"(),:;<>\[\\\]]{1,64}@[^@\s\"(),:;<>\[\\\]]+")
_SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

T = TypeVar("T")


class _Owned(Protocol):
    """An object of an organization."""

    @property
    def organization_id(self) -> str: ...


class _Kept(_Owned, Protocol):
    """A thing of an organization that is marked when it is deleted."""

    @property
    def is_deleted(self) -> bool: ...


Owned = TypeVar("Owned", bound=_Owned)
Kept = TypeVar("Kept", bound=_Kept)


def check_name(name: str, field: str = "name") -> str:
    """`name` without surrounding white space; raises Invalid if it is empty, too long or not
    printable."""
    text = name.strip()
    if not text or len(text) > MAX_NAME or not text.isprintable():
        raise Invalid(f"A {field} must have 1 to {MAX_NAME} printable characters.", field=field)
    return text


def check_email(email: str) -> str:
    """`email` without surrounding white space; raises Invalid if it is not an address."""
    text = email.strip()
    if len(text) > MAX_EMAIL or not text.isprintable() or not _EMAIL.fullmatch(text):
        raise Invalid(
            f"{text[:MAX_EMAIL]!r} is not an e-mail address such as dana@example.com.",
            field="email",
        )
    return text


def check_slug(slug: str) -> str:
    """`slug` itself; raises Invalid if it is not valid in a URL."""
    if len(slug) > 63 or not _SLUG.fullmatch(slug):
        raise Invalid(
            "A slug must have 1 to 63 lower-case letters and digits, with single dashes in "
            "between.",
            field="slug",
        )
    return slug


def slug_of(name: str) -> str:
    """A slug derived from a name; empty if it has no ASCII letter or digit."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].strip("-")


def check_found(thing: T | None, noun: str) -> T:
    """The thing itself; raises NotFound, with the same message for unknown and foreign ones."""
    if thing is None:
        raise NotFound(f"There is no such {noun}.")
    return thing


def check_owned(thing: Owned | None, organization_id: OrganizationId, noun: str) -> Owned:
    """The thing itself, also a deleted one; NotFound unless it is the organization's."""
    is_owned = thing is not None and thing.organization_id == organization_id
    return check_found(thing if is_owned else None, noun)


def check_present(thing: Kept | None, organization_id: OrganizationId, noun: str) -> Kept:
    """The object itself; raises NotFound unless it is the organization's and not deleted."""
    owned = check_owned(thing, organization_id, noun)
    return check_found(None if owned.is_deleted else owned, noun)


def check_name_free(name: str, taken: Iterable[str], noun: str) -> None:
    """Raise Conflict if another object of the kind has the name."""
    if name in taken:
        raise Conflict(
            f"Another {noun} is called {name!r}. Choose another name.",
            code=ErrorCode.NAME_TAKEN,
            field="name",
        )

"""Rules for texts entered by users."""

import re
from collections.abc import Callable, Iterable
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


class _Kept(Protocol):
    """An object of an organization that is marked when it is deleted."""

    @property
    def organization_id(self) -> str: ...
    @property
    def is_deleted(self) -> bool: ...


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


def pick(things: Iterable[T], is_it: Callable[[T], bool], noun: str) -> T:
    """The matching object; raises NotFound, with the same message for unknown and foreign ones."""
    for thing in things:
        if is_it(thing):
            return thing
    raise NotFound(f"There is no such {noun}.")


def check_present(thing: Kept | None, organization_id: OrganizationId, noun: str) -> Kept:
    """The object itself; raises NotFound unless it is the organization's and not deleted."""
    if thing is None or thing.is_deleted or thing.organization_id != organization_id:
        raise NotFound(f"There is no such {noun}.")
    return thing


def check_name_free(name: str, taken: Iterable[str], noun: str) -> None:
    """Raise Conflict if another object of the kind has the name."""
    if name in taken:
        raise Conflict(
            f"There is a {noun} called {name!r} already.", code=ErrorCode.NAME_TAKEN, field="name"
        )

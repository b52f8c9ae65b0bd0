"""Which account a sign-in is for, as attempts are counted."""

from outlay.domain.error_codes import ErrorCode
from outlay.domain.errors import Invalid
from outlay.domain.organization import Organization
from outlay.storage.directory.organizations import list_organizations
from outlay.storage.directory.session import ReadSession


def signing_in_to(session: ReadSession, slug: str) -> Organization | None:
    """The organization with a slug, or the only one; Invalid if a slug is needed."""
    organizations = list_organizations(session)
    if slug:
        wanted = slug.strip().lower()
        return next((known for known in organizations if known.slug == wanted), None)
    if len(organizations) > 1:
        raise Invalid(
            "The organization needs a name.",
            code=ErrorCode.ORGANIZATION_REQUIRED,
            field="organization",
        )
    return organizations[0] if organizations else None


def place_of(session: ReadSession, slug: str) -> str:
    """The scope of an e-mail address: the organization's id, or an unknown slug."""
    organization = signing_in_to(session, slug)
    return organization.organization_id if organization else slug


def account_of(place: str, email: str) -> str:
    """The key under which attempts at an account are counted, whether it exists or not."""
    return f"{place} {email.strip().lower()}"

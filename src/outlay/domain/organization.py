"""Organizations and what lives in them: members, projects, API keys, user groups.

Deleted things keep their rows, so that names survive in reports; `is_deleted` marks them.
"""

from dataclasses import dataclass

from outlay.domain.actor import Actor, Issuer, Plan, Role
from outlay.domain.ids import ApiKeyId, GroupId, MemberId, OrganizationId, ProjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """A tenant: everything belongs to exactly one."""

    organization_id: OrganizationId
    name: str
    plan: Plan
    timezone: str
    slug: str = ""
    """Its name in addresses: lower-case letters, digits and dashes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A person of an organization."""

    member_id: MemberId
    organization_id: OrganizationId
    name: str
    email: str
    role: Role
    has_password: bool = False
    created_at_us: int = 0
    is_deleted: bool = False
    """The person has left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A place in an organization for whoever has the link."""

    invitation_id: str
    organization_id: OrganizationId
    email: str
    role: Role
    issuer: Issuer
    created_at_us: int
    expires_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordLink:
    """The right to set a member's password once, for whoever has the link."""

    member_id: MemberId
    issuer: Issuer
    created_at_us: int
    expires_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What API keys belong to."""

    project_id: ProjectId
    """For a discovered one what stands in events."""
    organization_id: OrganizationId
    name: str
    created_at_us: int = 0
    is_deleted: bool = False
    discovered_id: str = ""
    """Set where reports have named it and nobody has set it up."""

    @property
    def address(self) -> str:
        """What its pages are called by: what stands in events may not fit into a path."""
        return self.discovered_id or self.project_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A credential of a project, created by a member, to whom its usage is attributed."""

    api_key_id: ApiKeyId
    organization_id: OrganizationId
    project_id: ProjectId
    member_id: MemberId
    description: str
    hint: str = ""
    """The end of its secret, to recognise it by; empty when it has none."""
    trusts_caller: bool = False
    """Whether the user and groups that a request names are believed."""
    expires_at_us: int | None = None
    created_at_us: int = 0
    is_revoked: bool = False
    """Calls with it are refused; it stays in lists, unlike a deleted one."""
    is_deleted: bool = False
    discovered_id: str = ""
    """Set where reports have named it and nobody has set it up: it has no project or creator."""

    def status_at(self, us: int) -> str:
        """`active`, `revoked`, `expired`, or `reported`: known from reports alone."""
        if self.is_revoked:
            return "revoked"
        if self.expires_at_us is not None and self.expires_at_us <= us:
            return "expired"
        return "active" if self.hint else "reported"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserGroup:
    """A named set of members for reporting."""

    group_id: GroupId
    organization_id: OrganizationId
    name: str
    created_at_us: int = 0
    is_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMembership:
    """A member's time in a group: [valid_from_us, valid_to_us), open-ended when None."""

    group_id: GroupId
    member_id: MemberId
    valid_from_us: int
    valid_to_us: int | None = None


def operator_of(organization: Organization) -> Actor:
    """The person who runs the installation, acting in an organization."""
    return Actor(
        organization_id=organization.organization_id,
        organization_name=organization.name,
        plan=organization.plan,
        timezone=organization.timezone,
    )
